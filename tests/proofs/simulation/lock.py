"""A lock for each direction, ended by the relay driver's own time-keeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate.drivers.release import Release
from gate.errors import DeviceError
from gate.model import Direction

if TYPE_CHECKING:
    from .world import World

MAX_ON_S = 5.0


class TwoLocks:
    """Promises that each release was recorded and ends in time; with `pins_dead` nothing can be moved."""

    def __init__(self, world: World) -> None:
        self.pins_dead = False
        self._world = world
        self._locks = {direction: Release(MAX_ON_S) for direction in Direction}
        self._asked_until = dict.fromkeys(Direction, 0.0)
        self._since = dict.fromkeys(Direction, 0.0)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self._end(*Direction)

    def release(self, direction: Direction, pulse_s: float) -> None:
        self._world.point()
        self._must_work()
        self._world.promises.releasing(direction)
        self._ask(direction, pulse_s)
        self._locks[direction].pulse(self._world.mono, pulse_s)
        self._world.point()

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        self._world.point()
        self._must_work()
        self._world.promises.holding()
        for each in Direction if direction is None else (direction,):
            self._ask(each, lease_s)
            self._since[each] = self._world.mono
            self._locks[each].lease(self._world.mono, lease_s)
        self._world.point()

    def secure(self) -> None:
        self._end(*Direction)
        if self.pins_dead:
            raise DeviceError("the pin cannot be set")

    def released(self) -> bool:
        self.settle()
        return any(lock.until_mono is not None for lock in self._locks.values())

    def settle(self) -> None:
        """End what is due; nothing may be released beyond what was asked for, nor beyond the cut-off."""
        for direction, lock in self._locks.items():
            if lock.due(self._world.mono):
                self._end(direction)
            if lock.until_mono is not None:
                latest_mono = min(self._asked_until[direction], self._since[direction] + MAX_ON_S)
                self._world.promises.require(max(lock.until_mono, self._world.mono) <= latest_mono + 1e-6,
                                             "a release ends when it was to end, and by its cut-off")

    def _ask(self, direction: Direction, for_s: float) -> None:
        if self._locks[direction].until_mono is None:
            self._since[direction] = self._world.mono
            self._asked_until[direction] = 0.0
        self._asked_until[direction] = max(self._asked_until[direction], self._world.mono + for_s)

    def _must_work(self) -> None:
        self.settle()
        if self.pins_dead:
            self._end(*Direction)
            raise DeviceError("the pin cannot be set")

    def _end(self, *directions: Direction) -> None:
        for direction in directions:
            self._locks[direction].end()
