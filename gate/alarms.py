"""What is wrong at the lane without anybody's wish: tamper, mains, lock feedback, tailgating, no passage. Pure.

Alarms tell and record; none of them moves the barrier or changes who may pass. An alarm stands until its cause has been
away for CALM_S: an input that flutters is one alarm with a count, not a storm of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gate.model import Alert, Contact, Effect, EventKind, Now, Record

CALM_S = 10.0
"""How long a cause has to be away before its alarm ends."""
LOCK_SETTLE_S = 2.0
"""How long a lock may take to follow a lane that has locked."""
TAILGATING_S = 3.0
"""A passage without a grant so soon after one that had it is somebody who walked in behind."""
NOT_TAKEN_MAX = 5
"""So many grants in a row that nobody took: the passage sensor or the barrier does not work."""

INPUTS = {"tamper": EventKind.TAMPER, "mains": EventKind.MAINS_FAILURE}
"""Inputs that are an alarm while they are active, and the event that tells it."""
LOCK = "lock"
"""The input that is active while the bolt is home."""
WATCHED = frozenset({*INPUTS, LOCK})
"""The roles of inputs that the lane itself does not know."""


@dataclass(slots=True)
class Standing:
    """An alarm that stands; `away_mono` is since when its cause is away, None while it is there."""

    kind: EventKind
    times: int = 1
    away_mono: float | None = None


class Alarms:
    """The alarms of one lane; used by the core's thread only, and every moment arrives as `now`."""

    def __init__(self) -> None:
        self._standing: dict[str, Standing] = {}
        self._unbolted_mono: float | None = None
        self._bolted: bool | None = None
        self._taken_mono = float("-inf")
        self._not_taken = 0

    def hear(self, contact: Contact, now: Now) -> list[Effect]:
        """An input of WATCHED has changed, or said its level at start."""
        if contact.name == LOCK:
            self._bolted = contact.active
            return []
        if contact.active:
            return self._raise(contact.name, INPUTS[contact.name])
        return self._lift(contact.name, now)

    def heed(self, effects: Sequence[Effect], now: Now) -> list[Effect]:
        """What the lane's own events add up to."""
        alarms: list[Effect] = []
        for effect in effects:
            match effect:
                case Record(kind=EventKind.ACCESS_TAKEN, data=data):
                    self._taken_mono = now.mono
                    if not data.get("presumed"):
                        self._not_taken = 0
                        alarms += self._lift("no-passage", now)
                case Record(kind=EventKind.ACCESS_NOT_TAKEN, data=data) if "cause" not in data:
                    self._not_taken += 1
                    if self._not_taken >= NOT_TAKEN_MAX:
                        alarms += self._raise("no-passage", EventKind.SENSOR_FAULT)
                case Record(kind=EventKind.DOOR_FORCED_OPEN) if now.mono - self._taken_mono <= TAILGATING_S:
                    alarms += self._raise("tailgating", EventKind.UNEXPECTED_PASSAGE)
                case Alert(id="forced-open", active=False):
                    alarms += self._lift("tailgating", now)
        return alarms

    def watch(self, locked: bool, now: Now) -> list[Effect]:
        """Time has passed; `locked` says whether the lane is at rest and wants to be locked."""
        alarms: list[Effect] = []
        if locked and self._bolted is False:
            self._unbolted_mono = now.mono if self._unbolted_mono is None else self._unbolted_mono
            if now.mono - self._unbolted_mono >= LOCK_SETTLE_S:
                alarms += self._raise("lock-open", EventKind.LOCK_FAULT)
        else:
            self._unbolted_mono = None
            if locked and self._bolted:
                alarms += self._lift("lock-open", now)
        for name, alarm in list(self._standing.items()):
            if alarm.away_mono is not None and now.mono - alarm.away_mono >= CALM_S:
                del self._standing[name]
                alarms += [Record(alarm.kind, {"active": False, "cause": name, "times": alarm.times}),
                           Alert(name, False)]
        return alarms

    def _raise(self, name: str, kind: EventKind) -> list[Effect]:
        alarm = self._standing.get(name)
        if alarm is None:
            self._standing[name] = Standing(kind)
            return [Record(kind, {"active": True, "cause": name}), Alert(name, True)]
        alarm.times += alarm.away_mono is not None
        alarm.away_mono = None
        return []

    def _lift(self, name: str, now: Now) -> list[Effect]:
        alarm = self._standing.get(name)
        if alarm is not None and alarm.away_mono is None:
            alarm.away_mono = now.mono
        return []
