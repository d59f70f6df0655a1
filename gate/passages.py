"""Passages become moves: known here at once, kept with the event that records them, told to the site's other gates.

What is known of who is inside is `gate.presence`; the core's thread alone calls this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from zoneinfo import ZoneInfo

from gate import model, wire
from gate.model import Alert, Decision, Direction, EventKind, Move, Now, Record
from gate.peers import page_of, page_of_moves
from gate.policy.crossing import Crossing
from gate.portal import Portal
from gate.presence import OUTSIDE, Presence, data_of

LOOK_S = 1.0
"""How often it is looked whether a shift has ended."""

Keep = Callable[[Sequence[Move]], None]
Tell = Callable[[int, wire.Passages], None]


class Passages:
    """Of one gate whose entry leads from `crossing.outside` into `area`."""

    def __init__(
        self, presence: Presence, crossing: Crossing, *, site: str, area: str, zone: ZoneInfo, keep: Keep,
        tell: Tell | None = None, shift_millis: int = 0,
    ) -> None:
        """`keep` stores peers' moves; `tell` publishes one page of our own, None where nobody listens.

        `shift_millis` is when the shift began that is known from before.
        """
        self.presence, self.crossing = presence, crossing
        self._site, self._area, self._zone = site, area, zone
        self._keep, self._tell = keep, tell
        self._shift_millis = shift_millis
        presence.forget_before(shift_millis)
        self._look_mono = float("-inf")
        self._ahead: set[str] = set()

    def begin(self) -> None:
        """Tell the peers what is known from before; a broker may have forgotten it."""
        self._tell_pages({page_of(move.holder) for move in self.presence.made_here()})

    def expect(self, lane: Portal, waiting: Decision | None = None) -> None:
        """Count whom the lane has let in already, and who waits to be let in beside a second person."""
        entering = [*lane.entering, *([waiting] if waiting else [])]
        self.presence.expected = {each.holder: each.company for each in entering if each.holder}

    def complete(self, effects: Sequence[model.Effect], now: Now) -> list[model.Effect]:
        """Have the record of each passage say which move it was."""
        return [self._moved(effect, now) if isinstance(effect, Record) and effect.kind is EventKind.ACCESS_TAKEN
                and "holder" in effect.data else effect for effect in effects]

    def hear(self, said: model.PeerMoves, now: Now) -> list[model.Effect]:
        """Take in a peer's page; moves of a clock that is wrong are left out, and told to the operators."""
        believed = [move for move in said.moves if not self.presence.is_ahead(move.stamp, now)]
        ahead = len(believed) < len(said.moves)
        news = [move for move in believed
                if move.stamp.millis >= self._shift_millis and self.presence.merge(move, now.mono)]
        if news:
            self._keep(news)
        if ahead is (said.gate in self._ahead):
            return []
        self._ahead ^= {said.gate}
        detail = f"the clock of {', '.join(sorted(self._ahead))} is ahead: what it says of passages is left out"
        return [Alert("presence-clock", bool(self._ahead), detail if self._ahead else "")]

    def reset(self, now: Now, *, holder: str = "", area: str = "") -> int:
        """Have people stand before this gate, so that they may enter: one, those in an area, or all who are inside.

        Gives how many; the site's other gates hear of it as of passages.
        """
        outside = self.crossing.outside
        if holder:
            whom = [(holder, self.presence.company(holder))]
        else:
            whom = [(each.holder, each.company) for each in self.presence.everybody()
                    if each.place not in (OUTSIDE, outside) and area in ("", each.place)]
        moves = [self.presence.put(each, outside, company, now) for each, company in whom]
        if moves:
            self._keep(moves)
        self._tell_pages({page_of(move.holder) for move in moves})
        return len(moves)

    def each_turn(self, now: Now) -> None:
        """Let a shift end, once its time is certain."""
        if now.mono < self._look_mono + LOOK_S or not now.trusted:
            return
        self._look_mono = now.mono
        began = self.crossing.shift_began(now.utc.astimezone(self._zone))
        if began is not None and (millis := int(began.timestamp() * 1000)) > self._shift_millis:
            self._shift_millis = millis
            self.presence.forget_before(millis)
            self.presence.net.clear()

    def _moved(self, record: Record, now: Now) -> Record:
        holder = record.data["holder"]
        entering = record.data["direction"] == Direction.ENTRY.value
        company = record.data.get("company", "")
        move = self.presence.go(holder, self._area if entering else self.crossing.outside, company, now)
        self._tell_pages({page_of(holder)})
        return replace(record, data={**record.data, **data_of(move, self._shift_millis)})

    def _tell_pages(self, pages: Set[int]) -> None:
        """Make these pages new; everybody is looked through once, however many they are."""
        if self._tell is None:
            return
        on: dict[int, list[Move]] = {page: [] for page in pages}
        for move in self.presence.made_here():
            if (page := page_of(move.holder)) in on:
                on[page].append(move)
        for page, moves in on.items():
            self._tell(page, page_of_moves(self._site, self.presence.gate, moves, page))
