"""Jumps of the machine's clock against the real clock and the real core: nobody is judged by a time that is wrong.

    python -m tests.proofs.clock_jumps --jumps 10000 [--seed 1]

Wall time jumps (1970, 2038, up to a day either way), drifts and is put right again, with the machine's word on its
synchronisation right or stale. Counted are verdicts that a right clock would not have given, timers that do not end
what they began, and records whose mark (`synced`) says more than was known.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from gate.clock import DRIFT_MAX, FLOOR_SLACK, SHIFT_START, SystemClock
from gate.controller import Controller
from gate.drivers.fake import FakeBarrier
from gate.effector import Effector
from gate.model import Direction, Flushed, Now, Record, RosterEntry, Scan, Stimulus, Tick
from gate.policy.schedule import schedules_from_json
from gate.portal import Portal, State
from gate.ports import NoFeed, Patience
from gate.view import DocumentSet, View

EPOCHS = (datetime(1970, 1, 2, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC))
DRIFT = 0.0005
DAY_S = 86_400
JUMPS_A_SITE = 100
"""Then validity is laid anew around the time that it is by then."""
SCHEDULES = schedules_from_json(
    b'{"schema": "gate.schedules/1", "schedules": {"always": {%s}}}' % b", ".join(
        b'"%s": [["00:00", "24:00"]]' % day for day in (b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun")))
CARD = "00109000000{}||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
VALID, PAST, FUTURE = range(3)


class Machine:
    """A machine whose wall clock may be wrong; also roster and ledger of its gate."""

    def __init__(self, rng: Random, keep_out: bool) -> None:
        self.rng = rng
        self.mono, self.offset, self.drift = 1000.0, timedelta(0), 0.0
        self.synced = True
        self.keep_out = keep_out
        self.recorded: list[tuple[Record, Now]] = []
        self.counts: Counter[str] = Counter()
        self.clock = SystemClock(synchronised=lambda: self.synced, wall=self.wall, mono=lambda: self.mono)
        self.clock.now()
        self.barrier = FakeBarrier(lambda: self.mono)
        self.controller = Controller(
            clock=self.clock, lane=Portal(), view=View(
                "xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), DocumentSet(roster=self, schedules=SCHEDULES),
                continue_on_untrusted_clock=not keep_out),
            hands=Effector(self, self.barrier, (), NoFeed(), Patience()))
        self.lay_validity()

    def truth(self) -> datetime:
        """What time it is."""
        return SHIFT_START + timedelta(seconds=self.mono - 1000.0)

    def wall(self) -> datetime:
        """What the machine says."""
        return self.truth() + self.offset

    def lay_validity(self) -> None:
        """One person valid for a month, one until an hour ago, one from next month on."""
        now, month = self.truth(), timedelta(days=40)
        self.entries = [
            RosterEntry("valid", frozenset("*"), frozenset(), "always", now - month, now + month),
            RosterEntry("past", frozenset("*"), frozenset(), "always", now - month, now - timedelta(hours=1)),
            RosterEntry("future", frozenset("*"), frozenset(), "always", now + month, None),
        ]

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.entries[int(identifiers[0][-1])]

    def holder(self, holder: str) -> RosterEntry | None:
        return None

    # --- the ledger ---

    @property
    def last_seq(self) -> int:
        return len(self.recorded)

    def append(self, records: Sequence[Record], now: Now, **how: Any) -> Machine:
        self.recorded += [(record, now) for record in records]
        return self

    def wait(self, timeout_s: float) -> bool:
        return True

    def flushed(self, seq: int, timeout_s: float) -> bool:
        return True

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        pass

    def remember(self, key: str, value: bytes) -> None:
        pass

    # --- what is tried ---

    def turn(self, stimulus: Stimulus) -> None:
        self.controller.turn(stimulus, self.clock.now())

    def pass_time(self, seconds: float) -> None:
        """Monotonic time goes on, and wall time at its own pace; the loop turns each second or so."""
        until_mono = self.mono + seconds
        while self.mono < until_mono:
            step_s = min(until_mono - self.mono, max(1.0, seconds / 20))
            self.mono += step_s
            self.offset += timedelta(seconds=step_s * self.drift)
            self.turn(Tick())

    def judge(self, person: int) -> str:
        """Let one person scan, and say what was recorded of it."""
        before = len(self.recorded)
        self.turn(Scan("in", Direction.ENTRY, CARD.format(person).encode(), self.mono))
        self.turn(Flushed(self.last_seq))
        record, now = self.recorded[before]
        wrong_by = abs(now.utc - self.truth())
        if now.trusted and wrong_by > FLOOR_SLACK + timedelta(days=1) * DRIFT_MAX:
            self.counts["records marked synced that are not"] += 1
        self.counts["records marked synced" if now.trusted else "records marked not synced"] += 1
        return str(record.data["reason"]) if now.trusted else f"untrusted {record.data['reason']}"

    def check(self) -> None:
        """Every verdict is one that a right clock gives, or one that the config wants when the clock is unknown."""
        unknown = "untrusted CLOCK_UNTRUSTED" if self.keep_out else "untrusted GRANTED"
        for person, right in ((PAST, "EXPIRED"), (FUTURE, "NOT_YET_ACTIVE"), (VALID, "GRANTED")):
            said = self.judge(person)
            self.counts[f"{('valid', 'past', 'future')[person]}: {said}"] += 1
            if said not in (right, unknown):
                self.counts["wrong verdicts"] += 1
            self.pass_time(self.controller.lane.timing.passage_s + 0.1)
            lane = self.controller.lane
            if lane.state is not State.CLOSED or lane.deadline is not None or self.barrier.released():
                self.counts["stuck timers"] += 1

    def jump(self) -> None:
        """Something happens to the clock; half the time the machine notices that it is not synchronised any more."""
        rng = self.rng
        kind = rng.choice(("1970", "2038", "a day", "a day", "drift"))
        if kind == "drift":
            self.drift = rng.uniform(-DRIFT, DRIFT)
        else:
            self.drift = 0.0
            self.offset = (timedelta(seconds=rng.uniform(-DAY_S, DAY_S)) if kind == "a day"
                           else EPOCHS[kind == "2038"] - self.truth())
            self.synced = self.synced and rng.random() < 0.5
        self.counts[f"jumps: {kind}"] += 1
        self.check()
        self.pass_time(rng.choice((0.0, 5.0, 60.0, 3600.0)))
        self.check()

    def put_right(self) -> None:
        """A time server corrects it; the gate must believe it again."""
        self.offset, self.drift, self.synced = timedelta(0), 0.0, True
        self.pass_time(20.0)
        if not self.clock.now().trusted:
            self.counts["right clocks not believed"] += 1
        self.check()


FAULTS = ("wrong verdicts", "stuck timers", "records marked synced that are not", "right clocks not believed")


def run(jumps: int, seed: int = 1) -> Counter[str]:
    """What was met in so many jumps; the FAULTS are 0 where all is well."""
    rng, counts = Random(seed), Counter(dict.fromkeys(FAULTS, 0))
    machine = Machine(rng, keep_out=False)
    for number in range(jumps):
        if number % JUMPS_A_SITE == 0:
            counts += machine.counts
            machine = Machine(rng, keep_out=number // JUMPS_A_SITE % 2 == 1)
        machine.lay_validity()
        machine.jump()
        if rng.random() < 0.7:
            machine.put_right()
    counts.update(machine.counts)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Jump, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jumps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    counts = run(chosen.jumps, chosen.seed)
    for name in (*FAULTS, *sorted(set(counts) - set(FAULTS))):
        print(f"{name}: {counts[name]}")
    return any(counts[name] for name in FAULTS)


if __name__ == "__main__":
    sys.exit(main())
