"""What lamps and buzzers play: a table of patterns by signal, and the one thread that plays them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

from gate.drivers.pins import open_output, pin_faults
from gate.errors import DeviceError
from gate.model import Decision, Signal

if TYPE_CHECKING:
    from gpiozero import Factory, OutputDevice

TIMED = frozenset({Signal.READING, Signal.GRANTED, Signal.DENIED, Signal.CALL_GUARD, Signal.IDENTIFY})
"""Signals that end by themselves; the others last until the next one."""
IDENTIFY_S = 10.0
"""Long enough to walk along a row of gates and see which one blinks."""


class Step(NamedTuple):
    """The outputs that are on, by name, for so long."""

    on: frozenset[str]
    lasts_s: float


class Pattern(NamedTuple):
    """Steps in order; played once (the last step stays), or over and over."""

    steps: tuple[Step, ...]
    repeat: bool = False


def steady(*on: str) -> Pattern:
    """The same outputs all the time."""
    return Pattern((Step(frozenset(on), 1.0),), repeat=True)


class PatternIndicator:
    """Plays each signal's pattern on its outputs; a timed signal gives way to the lasting one before it.

    `pins` maps each output's name to its BCM number; a pattern's names without a pin are left out. A pin that
    fails is told by each `show` until it works again; the indicator goes on trying and the gate goes on working.
    """

    def __init__(
        self, *, role: str, pins: Mapping[str, int], active_high: bool, patterns: Mapping[Signal, Pattern],
        result_s: float, factory: Factory,
    ) -> None:
        self._role = role
        self._pins = pins
        self._active_high = active_high
        self._patterns = patterns
        self._result_s = result_s
        self._factory = factory
        self._changed = Condition()
        self._devices: dict[str, OutputDevice] = {}
        self._player: Thread | None = None
        self._lasting = self._signal = Signal.IDLE
        self._began_mono = 0.0
        self._fault: DeviceError | None = None

    def start(self) -> None:
        """Claim the outputs, off, and show IDLE.

        Raises:
            DeviceError: a line cannot be had; none is kept.
        """
        with self._changed:
            if self._player is not None:
                return
            with ExitStack() as undo:
                self._devices = {
                    name: undo.enter_context(
                        open_output(f"{self._role} {name}", pin, self._active_high, self._factory)
                    )
                    for name, pin in self._pins.items()
                }
                undo.pop_all()
            self._lasting = self._signal = Signal.IDLE
            self._player = Thread(target=self._play, name=self._role, daemon=True)
            self._player.start()

    def show(self, signal: Signal, decision: Decision | None = None) -> None:
        """Play that signal's pattern from its beginning.

        Raises:
            DeviceError: an output has failed, and has not worked since.
        """
        with self._changed:
            self._signal = signal
            self._began_mono = time.monotonic()
            if signal not in TIMED:
                self._lasting = signal
            self._changed.notify()
            if self._fault is not None:
                raise self._fault

    def stop(self) -> None:
        with self._changed:
            player, self._player = self._player, None
            self._changed.notify()
        if player is not None:
            player.join()
        devices, self._devices = self._devices, {}
        for device in devices.values():
            with suppress(Exception):  # the others still go dark
                device.off()
                device.close()

    def _play(self) -> None:
        with self._changed:
            while self._player is not None:
                elapsed_s = time.monotonic() - self._began_mono
                lasts_s = IDENTIFY_S if self._signal is Signal.IDENTIFY else self._result_s
                if self._signal in TIMED and elapsed_s >= lasts_s:
                    self._signal, self._began_mono = self._lasting, time.monotonic()
                    continue
                on, next_s = at(self._patterns[self._signal], elapsed_s)
                self._write(on)
                if self._signal in TIMED:
                    next_s = min(next_s or lasts_s, lasts_s - elapsed_s)
                self._changed.wait(next_s)

    def _write(self, on: frozenset[str]) -> None:
        fault: DeviceError | None = None
        for name, device in self._devices.items():
            try:
                with pin_faults(f"{self._role} {name}", self._pins[name]):
                    device.value = name in on
            except DeviceError as error:
                fault = error
        self._fault = fault


def at(pattern: Pattern, elapsed_s: float) -> tuple[frozenset[str], float | None]:
    """What is on so long after the pattern began, and how long until that changes (None: never)."""
    length_s = sum(step.lasts_s for step in pattern.steps)
    if pattern.repeat and len(pattern.steps) > 1:
        elapsed_s %= length_s
    for step in pattern.steps[:-1]:
        if elapsed_s < step.lasts_s:
            return step.on, step.lasts_s - elapsed_s
        elapsed_s -= step.lasts_s
    last = pattern.steps[-1]
    return last.on, last.lasts_s - elapsed_s if pattern.repeat and len(pattern.steps) > 1 else None


