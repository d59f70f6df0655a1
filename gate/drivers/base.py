"""The contracts between the core and its hardware; one driver is one file beside this one.

A constructor takes its `Settings` and touches no hardware; `start` opens it, `stop` closes it and never raises.
Readers and contacts run threads of their own and only call the function they were handed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gate.model import CodeBegun, Contact, Decision, Direction, Fault, ReaderState, Scan, Signal

ReaderSays = Callable[[Scan | CodeBegun | ReaderState], None]
ContactSays = Callable[[Contact | Fault], None]


class Reader(Protocol):
    """Reads codes: calls `say` once for each code, and when the device goes away or comes back.

    One whose codes take time to arrive may say so at their beginning (`CodeBegun`).

    Survives unplug and replug without a restart of the process. Payloads are at most
    `gate.model.PAYLOAD_MAX_BYTES`; longer ones are dropped and counted in `dropped`.
    """

    name: str
    direction: Direction
    dropped: int

    def start(self, say: ReaderSays) -> None: ...

    def stop(self) -> None: ...

    def alive_mono(self) -> float:
        """Monotonic second at which the reading thread last showed that it runs (for the watchdog)."""
        ...


class Barrier(Protocol):
    """Moves the lock; safe (locked, or the preset's fail state) before `start`, after `stop` and on any error."""

    def start(self) -> None: ...

    def release(self, direction: Direction, pulse_s: float) -> None:
        """Unlock now, lock again by itself after `pulse_s`; never longer than the driver's `max_on_s`.

        Raises:
            DeviceError: the pin could not be set; the barrier is secured.
        """
        ...

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        """Unlock (None: every direction) and stay so for `lease_s`; called again before that to go on."""
        ...

    def secure(self) -> None: ...

    def stop(self) -> None: ...

    def released(self) -> bool: ...


class Indicator(Protocol):
    """Lamps, buzzer or screen: shows one signal until the next, or until the signal's own time ends."""

    def start(self) -> None: ...

    def show(self, signal: Signal, decision: Decision | None = None) -> None: ...

    def stop(self) -> None: ...


class ContactInput(Protocol):
    """An input line: calls `say` at each debounced edge and once at start with the present level."""

    name: str

    def start(self, say: ContactSays) -> None: ...

    def stop(self) -> None: ...
