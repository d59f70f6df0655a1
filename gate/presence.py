"""Who is inside, as far as this gate knows: its own passages and its peers', merged in any order. Pure.

Each holder has one last move, and the later stamp wins: moves may arrive late, twice and in any order, and all gates
that have heard the same moves agree. Stamps are those of a hybrid logical clock (Kulkarni et al., 2014): wall time
where the clock is trusted, else the time since the newest stamp known; and always later than that one.

`docs/presence.md` says by how much a limit can be exceeded while gates are apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gate.model import Move, Now, Stamp

OUTSIDE = ""
"""The place of whoever has left the site."""
NOBODY: Mapping[str, int] = MappingProxyType({})
AHEAD_MAX_MS = 600_000
"""A stamp further ahead of a trusted clock is of a clock that is wrong."""


class Presence:
    """The last move of each holder, and how many are where; owned by one thread.

    `expected` holds whom the lane has let in and who has not passed yet: they count as inside, so that no
    second person gets their place, and are nowhere in what peers hear.
    """

    def __init__(self, gate: str, moves: Iterable[Move] = (), net: Mapping[str, int] = NOBODY) -> None:
        self.gate = gate
        self.net = Counter(net)
        """Of each company, how many more entered here than left here: what a share of a quota is held against."""
        self.expected: dict[str, str] = {}
        """Holder -> company."""
        self._last: dict[str, Move] = {}
        self._at: Counter[str] = Counter()
        self._of: Counter[str] = Counter()
        self._newest = Stamp(0, 0, "")
        self._newest_mono = 0.0
        for move in moves:
            self.merge(move, 0.0)

    def place(self, holder: str) -> str | None:
        """Where the holder went last; None when nothing is known of them."""
        move = self._last.get(holder)
        return None if move is None else move.place

    def company(self, holder: str) -> str:
        """Whom they were counted with then; nothing when nothing is known."""
        move = self._last.get(holder)
        return "" if move is None else move.company

    def since_millis(self, holder: str) -> int:
        """When they went there, 0 when nothing is known."""
        move = self._last.get(holder)
        return 0 if move is None else move.stamp.millis

    def at(self, place: str, besides: str = "") -> int:
        """How many are in one area or on their way in, by what is known here, without the holder `besides`."""
        on_their_way = sum(holder != besides and self.place(holder) != place for holder in self.expected)
        return self._at[place] + on_their_way - (bool(besides) and self.place(besides) == place)

    def inside(self, company: str | None = None, besides: str = "") -> int:
        """The same of the whole site, or of one company there."""
        known = self._at.total() - self._at[OUTSIDE] if company is None else self._of[company]
        on_their_way = sum(company in (None, theirs) and holder != besides and not self.place(holder)
                           for holder, theirs in self.expected.items())
        last = self._last.get(besides)
        counted = last is not None and last.place != OUTSIDE and company in (None, last.company)
        return known + on_their_way - counted

    def brought_in(self, company: str | None = None) -> int:
        """How many more entered than left through this gate, in all or of one company, with those on their way in."""
        net = self.net.total() if company is None else self.net[company]
        return net + sum(company in (None, theirs) for theirs in self.expected.values())

    def go(self, holder: str, place: str, company: str, now: Now) -> Move:
        """Make the move that a passage at this gate is, later than everything known."""
        self.net[company] += -1 if place == OUTSIDE else 1
        return self.put(holder, place, company, now)

    def put(self, holder: str, place: str, company: str, now: Now) -> Move:
        """Make a move without a passage, as an operator's correction is one; shares stay as they were counted."""
        move = Move(holder, place, company, self._next(now))
        self.merge(move, now.mono)
        return move

    def merge(self, move: Move, mono: float) -> bool:
        """Take in a move of whichever gate, heard at `mono`; whether it is news.

        What was heard before, or is older than the holder's last move, changes nothing.
        """
        if move.stamp > self._newest:
            self._newest, self._newest_mono = move.stamp, mono
        last = self._last.get(move.holder)
        if last is not None and last.stamp >= move.stamp:
            return False
        if last is not None:
            self._count(last, -1)
        self._last[move.holder] = move
        self._count(move, +1)
        return True

    def is_ahead(self, stamp: Stamp, now: Now) -> bool:
        """Whether a stamp is of a clock that is wrong, so that believing it would leave everybody behind it."""
        return now.trusted and stamp.millis > _millis(now) + AHEAD_MAX_MS

    def forget_before(self, millis: int) -> int:
        """Drop every move made before: nobody's shift is longer. Gives how many were still inside."""
        old = [move for move in self._last.values() if move.stamp.millis < millis]
        for move in old:
            del self._last[move.holder]
            self._count(move, -1)
        return sum(move.place != OUTSIDE for move in old)

    def made_here(self) -> Iterator[Move]:
        """The last moves that were made at this gate: what it tells its peers, each of whom tells theirs."""
        return (move for move in self._last.values() if move.stamp.gate == self.gate)

    def everybody(self) -> Iterator[Move]:
        """The last move of every holder."""
        return iter(self._last.values())

    def _count(self, move: Move, by: int) -> None:
        self._at[move.place] += by
        if move.place != OUTSIDE:
            self._of[move.company] += by

    def _next(self, now: Now) -> Stamp:
        newest = self._newest
        since_ms = int((now.mono - self._newest_mono) * 1000)
        millis = _millis(now) if now.trusted else newest.millis + since_ms
        if millis > newest.millis:
            return Stamp(millis, 0, self.gate)
        return Stamp(newest.millis, newest.tick + 1, self.gate)


def _millis(now: Now) -> int:
    return int(now.utc.timestamp() * 1000)


def data_of(move: Move, shift_millis: int) -> dict[str, Any]:
    """What the event of a passage says of the move that it was; `shift_millis` is when the shift began, or 0."""
    data = {"place": move.place, "company": move.company, "shift": shift_millis}
    return {**{key: value for key, value in data.items() if value}, "stamp": [move.stamp.millis, move.stamp.tick]}


def move_of(data: Mapping[str, Any], gate: str) -> Move | None:
    """The move that an event of `gate` tells of, None where it tells of none."""
    if "stamp" not in data:
        return None
    millis, tick = data["stamp"]
    return Move(data["holder"], data.get("place", OUTSIDE), data.get("company", ""), Stamp(millis, tick, gate))
