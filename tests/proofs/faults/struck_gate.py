"""A whole daemon in a forked process, one of whose calls fails or stalls, while people come and go.

Real: everything that `gate run` starts, on a real disk. Stood in for: the readers' devices, and the pins (gpiozero's
mock, whose trace is not watched by the shim). What the gate says, and what people saw of it, is told line by line.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from gpiozero.pins.mock import MockPin

import gate.app
from gate import config
from gate.demo.site import ENTRY_PIN, EXIT_PIN
from gate.documents import DocumentWatcher
from gate.drivers.base import Reader
from gate.drivers.fake import FakeReader
from gate.effector import Effector
from gate.errors import GateError
from gate.ledger import Ledger, database, flusher
from gate.model import Direction, Flushed, Now, Reason, Record, Tick
from gate.portal import Written
from gate.portal.actions import Actions
from gate.uplink import Uplink

from .shim import Shim

CHECKPOINT_BYTES = 6 * 1024
"""So small that the WAL is begun anew several times in the few seconds of a life."""
WAY_OUT_MAX_S = 10.0
ENTRY_MAX_S = 3.0
PATIENCE_S = 30.0
POLL_S = 0.001
DOOMED = 3
BUG = 70

VISITS = (("in", "binh-cccd"), ("out", "chi-cccd"), ("in", "la-cccd"), ("in", "an-pass"), ("out", "an-qr"),
          ("in", "an-pass"), ("in", "binh-cccd"), ("out", "an-qr"), ("out", "chi-cccd"))
IN_A_HURRY = (("out", "dung-cccd"), ("in", "binh-so"))
"""Who comes as soon as a call is struck; nobody else shows these codes."""
PINS = {"in": ENTRY_PIN, "out": EXIT_PIN}


ON_THE_NETWORK = frozenset({"send", "allocate"})
"""A gate one of whose calls of these kinds is struck talks to a broker."""
ALL_CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "send", "allocate")
"""What the shim counts."""


@dataclass(frozen=True)
class Strike:
    """The `nth` call of this kind fails with `error`, or takes a second when that is 0; nth 0: none does."""

    call: str = ""
    nth: int = 0
    error: int = 0

    def __str__(self) -> str:
        how = f"fails ({errno.errorcode[self.error]})" if self.error else "stalls"
        return f"{self.call} {self.nth} {how}" if self.nth else "nothing fails"


class Tale(msgspec.Struct, frozen=True):
    """One line of what happened; `at_mono` in monotonic seconds."""

    what: Literal["epoch", "flushed", "alert", "visit", "struck", "left", "ended", "counts"]
    at_mono: float
    name: str = ""
    number: int = 0
    until_mono: float = 0.0


@dataclass
class Pins:
    """Sees each rise of a pin, and strikes the Nth call that sets one."""

    strike: Strike

    def __post_init__(self) -> None:
        self.calls = 0
        self.struck_mono = self.released_mono = 0.0
        self.level: dict[int, bool] = {}
        self.rises: dict[int, int] = {}
        set_state, change_state = MockPin._set_state, MockPin._change_state

        def struck(pin: MockPin, value: int) -> None:
            self.calls += 1
            if self.strike.call == "gpio" and self.calls == self.strike.nth:
                self.struck_mono = time.monotonic()
                if not self.strike.error:
                    time.sleep(1.0)
                self.released_mono = time.monotonic()
                if self.strike.error:
                    raise OSError(self.strike.error, os.strerror(self.strike.error))
            set_state(pin, value)

        def seen(pin: MockPin, value: bool) -> Any:
            changed = change_state(pin, value)
            number = pin.info.names and int(pin.info.name.removeprefix("GPIO"))
            if changed and value:
                self.rises[number] = self.rises.get(number, 0) + 1
            self.level[number] = value
            return changed

        MockPin._set_state, MockPin._change_state = struck, seen


class StruckGate(gate.app.Daemon):
    """The daemon, with readers in our hands and its words written down."""

    def __init__(self, settings: config.Config, stack: ExitStack, strike: Strike, told: Path, shim: Shim) -> None:
        self._told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._shim = shim
        self._pins = Pins(strike)
        self._fakes: dict[str, FakeReader] = {}
        self._reacted = False
        self.blunders = 0
        """Answers of INTERNAL_ERROR: who gets one shows the code again."""
        super().__init__(settings, stack, told.parent / "gate.yaml")
        put = self.inbox.put

        def put_and_tell(stimulus: Any) -> None:
            if isinstance(stimulus, Flushed):
                self.tell("flushed", number=stimulus.up_to_seq)
                shim.mark(f"flushed {stimulus.up_to_seq}")
            put(stimulus)

        self.inbox.put = put_and_tell  # type: ignore[method-assign]

    def tell(self, what: Any, name: str = "", number: int = 0, until_mono: float = 0.0, at_mono: float = 0.0) -> None:
        """Write a line down; it is there whatever becomes of this process."""
        tale = Tale(what, at_mono or time.monotonic(), name, number, until_mono)
        os.write(self._told, msgspec.json.encode(tale) + b"\n")

    @property
    def struck(self) -> tuple[float, float]:
        """When the call was struck, and when it went on; 0 before."""
        return (self._shim.struck_mono or self._pins.struck_mono, self._shim.released_mono or self._pins.released_mono)

    def make_reader(self, each: config.ReaderConfig) -> Reader:
        self.readers_there[each.name] = True
        self._fakes[each.name] = FakeReader(each.name, Direction(each.direction), time.monotonic)
        return self._fakes[each.name]

    def start_inputs(self, readers: Sequence[Reader], watcher: DocumentWatcher) -> None:
        super().start_inputs(readers, watcher)
        self._shim.spare_all(True)
        threading.Thread(target=self._people, name="people", daemon=True).start()
        self._shim.spare_all(False)

    # --- what people do ---

    def _people(self) -> None:
        self._shim.spare()
        for reader, code in self.visits:
            self._visit(reader, code)
            self._react()
        while self.struck[0] and not self.struck[1]:
            time.sleep(POLL_S)
        self.tell("left")
        self.controller.stopping = True
        self.inbox.put(Tick())

    def _react(self) -> None:
        """Somebody wants to leave, and somebody to come in, as soon as a call is struck."""
        if self.struck[0] and not self._reacted:
            self._reacted = True
            for reader, code in IN_A_HURRY:
                self._visit(reader, code)

    def _visit(self, reader: str, code: str) -> None:
        pin, began_mono = PINS[reader], time.monotonic()
        rises = self._pins.rises.get(pin, 0)
        until_mono = began_mono + (ENTRY_MAX_S if reader == "in" else WAY_OUT_MAX_S)
        if code == "la-cccd":
            until_mono = began_mono + 0.05
        blunders = self.blunders
        self._fakes[reader].scan(self.codes[code].encode())
        while self._pins.rises.get(pin, 0) == rises and time.monotonic() < until_mono:
            if self.blunders > blunders:
                blunders = self.blunders
                self._fakes[reader].scan(self.codes[code].encode())
            self._react()
            time.sleep(POLL_S)
        served = self._pins.rises.get(pin, 0) > rises
        self.tell("visit", f"{reader} {code}", int(served), time.monotonic() if served else 0.0, began_mono)
        while (self._pins.level.get(pin) or not self.at_rest) and time.monotonic() < until_mono:
            self._react()
            time.sleep(POLL_S)

    @property
    def at_rest(self) -> bool:
        """Whether the lane is free for the next person."""
        return self.controller.lane.state.value == "closed"

    visits: Sequence[tuple[str, str]] = VISITS
    codes: dict[str, str]


class ToldFeed:
    """The feed of a gate with no broker; alerts are told."""

    gate: StruckGate

    def live(self, kind: str, event: dict[str, Any]) -> None:
        self.gate.blunders += event.get("reason") == Reason.INTERNAL_ERROR.name

    def alert(self, id: str, detail: str | None) -> None:
        if detail is not None:
            self.gate.tell("alert", f"{id}: {detail}")


class ToldUplink(Uplink):
    """The uplink; alerts are told."""

    gate: StruckGate

    def live(self, kind: str, event: dict[str, Any]) -> None:
        self.gate.blunders += event.get("reason") == Reason.INTERNAL_ERROR.name
        super().live(kind, event)

    def alert(self, id: str, detail: str | None) -> None:
        super().alert(id, detail)
        if detail is not None:
            self.gate.tell("alert", f"{id}: {detail}")


def without_believing_syncs() -> None:
    def deaf(descriptor: int) -> None:
        with suppress(OSError):
            os.fdatasync(descriptor)

    gate.app.Ledger = partial(Ledger, fdatasync=deaf)  # type: ignore[misc, assignment]


def without_renewing_the_wal() -> None:
    database._renew_wal = lambda path: None


def without_waiting_for_the_record() -> None:
    def write(self: Effector, rows: Sequence[Record], now: Now) -> list[Any]:
        self.append(rows, now)
        return [Written(self.ledger.written_seq)]  # type: ignore[attr-defined]

    Effector.write = write  # type: ignore[method-assign]


def without_haste_for_ways_out() -> None:
    append = Effector.append

    def append_and_wait(self: Effector, rows: Sequence[Record], now: Now, *, way_out: bool = False) -> Any:
        ticket = append(self, rows, now, way_out=way_out)
        if ticket is not None and way_out:
            ticket.wait(PATIENCE_S)
        return ticket

    Effector.append = append_and_wait  # type: ignore[method-assign]


def without_the_alarm_for_late_flushes() -> None:
    Actions.watch_flush = lambda self: None  # type: ignore[method-assign]


MECHANISMS: dict[str, tuple[Callable[[], None], Strike, str]] = {
    "believing syncs": (without_believing_syncs, Strike("fdatasync", 0, errno.EIO), "after a power cut"),
    "renewing the WAL at a start": (without_renewing_the_wal, Strike("fdatasync", 0, errno.EIO), "after a power cut"),
    "waiting for the record": (without_waiting_for_the_record, Strike("pwrite", 0, errno.EIO), "a false release"),
    "haste for ways out": (without_haste_for_ways_out, Strike("pwrite"), "waited for the disk"),
    "the alarm for late flushes": (without_the_alarm_for_late_flushes, Strike("fdatasync"), "flushed late"),
}
"""What makes the proof hold: how it is taken away, which calls (of any number) then break it, and what breaks."""


def live(settings: config.Config, codes: dict[str, str], strike: Strike, folder: Path, without: str = "") -> int:
    """Be the gate until the people have gone; the exit code. `without` names a mechanism to be taken away."""
    shim = Shim()
    if without:
        MECHANISMS[without][0]()
    flusher.CHECKPOINT_WAL_BYTES = CHECKPOINT_BYTES
    gate.app.NoFeed, gate.app.Uplink = ToldFeed, ToldUplink  # type: ignore[misc]
    shim.watch(settings.state_dir, folder / "record")
    shim.arm(strike.call, strike.nth, strike.error)
    daemon: StruckGate | None = None
    code = 0
    try:
        with ExitStack() as stack:
            daemon = StruckGate(settings, stack, strike, folder / "told", shim)
            daemon.codes = codes
            ToldFeed.gate = ToldUplink.gate = daemon
            daemon.run()
        daemon.heed_last_words()
    except GateError as error:
        code, said = DOOMED, str(error)
    except BaseException:
        code, said = BUG, traceback.format_exc()
    else:
        said = ""
    if daemon is None:
        return code or BUG
    struck, released = daemon.struck
    if struck:
        daemon.tell("struck", str(strike), until_mono=released, at_mono=struck)
    for call in ALL_CALLS:
        daemon.tell("counts", call, shim.count(call))
    daemon.tell("counts", "gpio", daemon._pins.calls)
    daemon.tell("ended", said, code)
    return code
