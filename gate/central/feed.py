"""One gate's feed as the recorder sees it: batches read and checked, every event placed, gaps and runs. Pure.

A feed is one epoch of one gate. It may have gaps: a broker that dropped messages, a database restored from a
backup, a gate that had to let events go. A *run* is a stretch without a gap, and an acknowledgement names whole
runs: it never says more than what is here, and the gate alone judges whether anything it still holds lies before.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gate import wire
from gate.errors import MalformedError
from gate.model import EventKind

LOSS_KINDS = (EventKind.EVENTS_LOST, EventKind.LEDGER_PRUNED)
SEQ_MAX = 2**53 - 1
"""The largest seq that is read: every JSON reader can hold it (RFC 8259, 6)."""
EPOCH_MAX_CHARS = 64
GAPS_MAX = 100_000
"""Gaps that one feed may have at most; what would open one more is refused (and sent again by the gate)."""

Range = tuple[int, int]
"""First and last seq, both inclusive."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event of a batch; `hash` covers `body`, which names `prev`, the hash of the event before."""

    event: wire.Event
    body: bytes
    prev: bytes
    hash: bytes

    @property
    def seq(self) -> int:
        """Its place in the epoch."""
        return self.event.seq


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database has at one seq: its hash, and the hash before it that it names."""

    prev: bytes
    hash: bytes


LookUp = Callable[[int, int], Mapping[int, Stored]]
"""What is stored from one seq to another, both inclusive."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an event was not taken: `kind` is `chain` or `fork` or `gaps`."""

    kind: str
    detail: str


@dataclass(slots=True)
class Placement:
    """What a batch brought: events to store, seqs that are here now, and what stands against the rest."""

    new: list[Arrival] = field(default_factory=list)
    here: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    explained: list[tuple[Range, str]] = field(default_factory=list)
    """Ranges that the gate's own events own up to having lost, with the kind of event."""


def read_batch(payload: bytes, site: str, gate: str) -> list[Arrival]:
    """Read an `up/event` payload that came on the topic of `site` and `gate`.

    Raises:
        MalformedError: not a batch of one epoch of that gate, in ascending order.
    """
    arrivals = [_read(body) for body in wire.split_batch(payload)]
    source, epoch = wire.source(site, gate), arrivals[0].event.epoch
    if not (1 <= len(epoch) <= EPOCH_MAX_CHARS and epoch.isprintable()):
        raise MalformedError(f"an epoch of {len(epoch)} characters; up to {EPOCH_MAX_CHARS} printable ones are read")
    for arrival in arrivals:
        if arrival.event.source != source:
            raise MalformedError(f"an event of {arrival.event.source[:200]!r} on the topic of {source}")
        if arrival.event.epoch != epoch:
            raise MalformedError("a batch of two epochs")
    if any(before.seq >= after.seq for before, after in pairwise(arrivals)):
        raise MalformedError("a batch out of order")
    if arrivals[-1].seq > SEQ_MAX:
        raise MalformedError(f"event {arrivals[-1].seq}; seqs up to {SEQ_MAX} are read")
    return arrivals


def _read(body: bytes) -> Arrival:
    event = wire.read_event(body)
    try:
        prev = bytes.fromhex(event.prevhash)
    except ValueError as error:
        raise MalformedError("not an event: prevhash is not hex") from error
    if len(prev) != len(wire.GENESIS):  # `fromhex` skips blanks
        raise MalformedError("not an event: prevhash is too short")
    return Arrival(event, body, prev, wire.event_hash(body))


class Feed:
    """Where one feed stands: its highest event, and the gaps below it in ascending order."""

    def __init__(self, last_seq: int = 0, last_hash: bytes = wire.GENESIS, gaps: Sequence[Range] = ()) -> None:
        self.last_seq = last_seq
        self.last_hash = last_hash
        self.gaps = list(gaps)

    def run_of(self, seq: int) -> Range:
        """The longest stretch without a gap around `seq`, which is here."""
        after = bisect.bisect(self.gaps, (seq, seq))
        first = self.gaps[after - 1][1] + 1 if after else 1
        return first, self.gaps[after][0] - 1 if after < len(self.gaps) else self.last_seq

    def place(self, arrivals: Sequence[Arrival], look_up: LookUp) -> Placement:
        """Take every event that is new and whose chain holds; stop at the first whose chain does not.

        An event that is here already is compared: other bytes under its seq are a second history (`fork`), and
        the first to come stays.
        """
        placement = Placement()
        known: dict[int, Stored] = {}
        if arrivals[0].seq <= self.last_seq:
            known.update(look_up(arrivals[0].seq - 1, arrivals[-1].seq + 1))
        for arrival in arrivals:
            problem, new = self._take(arrival, known)
            if problem is not None:
                placement.problems.append(problem)
                if problem.kind == "fork":
                    continue
                break
            placement.here.append(arrival.seq)
            if new:
                known[arrival.seq] = Stored(arrival.prev, arrival.hash)
                placement.new.append(arrival)
                if arrival.event.kind in LOSS_KINDS:
                    placement.explained += _losses(arrival.event)
        return placement

    def _take(self, arrival: Arrival, known: Mapping[int, Stored]) -> tuple[Problem | None, bool]:
        seq, prev = arrival.seq, arrival.prev
        if seq > self.last_seq:
            if seq > self.last_seq + 1:
                if len(self.gaps) >= GAPS_MAX:
                    return Problem("gaps", f"event {seq} would open gap {GAPS_MAX + 1}"), False
                self.gaps.append((self.last_seq + 1, seq - 1))
            elif prev != self.last_hash:
                return _broken(seq), False
            self.last_seq, self.last_hash = seq, arrival.hash
            return None, True
        index = bisect.bisect(self.gaps, (seq, self.last_seq)) - 1
        if index < 0 or not self.gaps[index][0] <= seq <= self.gaps[index][1]:
            same = known[seq].hash == arrival.hash
            return None if same else Problem("fork", f"event {seq} came twice, with different bytes"), False
        before = wire.GENESIS if seq == 1 else known[seq - 1].hash if seq - 1 in known else prev
        after = known[seq + 1].prev if seq + 1 in known else arrival.hash
        if prev != before or after != arrival.hash:
            return _broken(seq), False
        first, last = self.gaps[index]
        self.gaps[index:index + 1] = [part for part in ((first, seq - 1), (seq + 1, last)) if part[0] <= part[1]]
        return None, True


def _broken(seq: int) -> Problem:
    return Problem("chain", f"event {seq} does not follow from what stands beside it: its chain is broken")


def _losses(event: wire.Event) -> list[tuple[Range, str]]:
    match event.data:
        case {"from_seq": int(first), "to_seq": int(last)} if 1 <= first <= last < event.seq:
            return [((first, last), event.kind)]
    return []
