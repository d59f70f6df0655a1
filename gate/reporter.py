"""What the gate says of itself: status on a change, state each 10 s, health each minute; and its clock's floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gate import wire
from gate.inbox import Inbox
from gate.model import Now
from gate.portal import Portal

STATE_EVERY_S = 10.0
HEALTH_EVERY_S = 60.0
FLOOR_EVERY_S = 600.0
CLOCK_FLOOR = "clock-floor"
"""The ledger's key for the latest moment that was trusted."""


class Voice(Protocol):
    """Where reports go; every call only enqueues."""

    def status(self, status: wire.Status) -> None: ...

    def info(self, info: wire.Info) -> None: ...

    def state(self, state: wire.State) -> None: ...

    def health(self, health: wire.Health) -> None: ...


class Keeper(Protocol):
    """What reports say of the ledger, and where the floor is kept."""

    epoch: str

    @property
    def written_seq(self) -> int: ...

    def depth(self) -> int: ...

    def remember(self, key: str, value: bytes) -> None: ...


class Reporter:
    """Runs after each turn of the loop; `readers` says which readers are there, `stuck` which parts are silent."""

    def __init__(
        self, *, lane: Callable[[], Portal], ledger: Keeper, voice: Voice | None, inbox: Inbox,
        readers: Mapping[str, bool], stuck: Callable[[Now], list[str]], began: Now,
        info: Callable[[], wire.Info] = wire.Info, occupancy: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._lane, self._ledger, self._voice, self._inbox = lane, ledger, voice, inbox
        self._readers, self._stuck, self._began = readers, stuck, began
        self._info, self._occupancy = info, occupancy
        self._told: wire.Info | None = None
        self._missing: list[str] | None = None
        self._shown: tuple[str, str] = ("", "")
        self._state_due_mono = self._health_due_mono = began.mono
        self._floor_due_mono = began.mono + FLOOR_EVERY_S

    def report(self, now: Now) -> None:
        """Say what is due, and what has changed at once."""
        if now.mono >= self._floor_due_mono:
            self._floor_due_mono = now.mono + FLOOR_EVERY_S
            self.keep_floor(now)
        if self._voice is None:
            return
        self._report_info(self._voice)
        self._report_status(self._voice, now)
        self._report_state(self._voice, now)
        self._report_health(self._voice, now)

    def keep_floor(self, now: Now) -> None:
        """Remember a trusted moment; no later start believes an earlier one."""
        if now.trusted:
            self._ledger.remember(CLOCK_FLOOR, now.utc.isoformat().encode())

    def _report_info(self, voice: Voice) -> None:
        info = self._info()
        if info != self._told:
            self._told = info
            voice.info(info)

    def _report_status(self, voice: Voice, now: Now) -> None:
        missing = sorted({name for name, there in self._readers.items() if not there} | set(self._stuck(now)))
        if missing != self._missing:
            self._missing = missing
            detail = f"missing: {', '.join(missing)}"
            voice.status(wire.Status("degraded", detail) if missing else wire.Status("online"))

    def _report_state(self, voice: Voice, now: Now) -> None:
        lane = self._lane()
        shown = (lane.wish.value, lane.state.value)
        if shown == self._shown and now.mono < self._state_due_mono:
            return
        self._shown, self._state_due_mono = shown, now.mono + STATE_EVERY_S
        voice.state(wire.State(
            mode=lane.wish.value, portal=lane.state.value, outbox=self._ledger.depth(), epoch=self._ledger.epoch,
            written_seq=self._ledger.written_seq, clock_trusted=now.trusted, occupancy=self._occupancy(),
        ))

    def _report_health(self, voice: Voice, now: Now) -> None:
        if now.mono < self._health_due_mono:
            return
        self._health_due_mono = now.mono + HEALTH_EVERY_S
        voice.health(wire.Health(
            uptime_s=round(now.mono - self._began.mono, 1), resident_kib=resident_kib(),
            scans=self._inbox.scans, dropped=self._inbox.dropped, readers=dict(self._readers),
        ))


def read_floor(value: bytes | None) -> datetime | None:
    """The kept floor, or None when there is none."""
    return None if value is None else datetime.fromisoformat(value.decode())


def resident_kib() -> int:
    """This process's resident memory, from VmRSS (proc(5), status); 0 where it cannot be read."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
