"""Green, red and amber lamps: each signal has a rhythm of its own, so nobody needs to tell red from green."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate import config
from gate.drivers.pattern import Pattern, PatternIndicator, Step, steady
from gate.drivers.pins import BcmPin
from gate.model import Signal

if TYPE_CHECKING:
    from gpiozero import Factory


class LampsSettings(config.Section, frozen=True, kw_only=True):
    """Where the lamps are; without amber every signal still has a rhythm of its own."""

    green_pin: BcmPin
    red_pin: BcmPin
    amber_pin: BcmPin | None = None
    active_high: bool = True
    result_s: config.Seconds = 2.0
    """How long a granted, denied or reading signal stays before the lane's own comes back."""


def _blink(first: str, first_s: float, second: str, second_s: float) -> Pattern:
    """Two steps over and over; each names its lamps, a blank is dark."""
    steps = Step(frozenset(first.split()), first_s), Step(frozenset(second.split()), second_s)
    return Pattern(steps, repeat=True)


# At most three flashes in a second (WCAG 2.2, 2.3.1): a gate has people with epilepsy before it.
PATTERNS = {
    Signal.IDLE: steady("red"),
    Signal.READING: steady("amber"),
    Signal.GRANTED: steady("green"),
    Signal.DENIED: _blink("red", 0.2, "", 0.2),
    Signal.CALL_GUARD: _blink("red", 0.5, "amber", 0.5),
    Signal.PREALARM: _blink("green amber", 0.25, "", 0.25),
    Signal.ALARM: _blink("red amber", 0.2, "green", 0.2),
    Signal.LOCKDOWN: _blink("red amber", 1.2, "", 0.3),
    Signal.FREE: _blink("green", 1.2, "", 0.3),
    Signal.IDENTIFY: _blink("red amber green", 0.5, "", 0.5),
}

LOOKS = {
    Signal.IDLE: ("đỏ sáng đều", "red, steady"),
    Signal.READING: ("vàng sáng đều", "amber, steady"),
    Signal.GRANTED: ("xanh sáng đều", "green, steady"),
    Signal.DENIED: ("đỏ nháy nhanh", "red, blinking fast"),
    Signal.CALL_GUARD: ("đỏ và vàng thay nhau", "red and amber in turn"),
    Signal.PREALARM: ("xanh và vàng nháy nhanh", "green and amber, blinking fast"),
    Signal.ALARM: ("đỏ-vàng và xanh thay nhau, nhanh", "red-amber and green in turn, fast"),
    Signal.LOCKDOWN: ("đỏ và vàng, tắt thoáng mỗi 1,5 giây", "red and amber, dark for a moment each 1.5 s"),
    Signal.FREE: ("xanh, tắt thoáng mỗi 1,5 giây", "green, dark for a moment each 1.5 s"),
    Signal.IDENTIFY: ("cả ba đèn cùng nháy", "all three blinking together"),
}
"""What a person sees of each pattern, in Vietnamese and English, where all three lamps are fitted."""


class Lamps(PatternIndicator):
    """Shows each signal by lamps alone."""

    Settings = LampsSettings
    LOOKS = LOOKS

    def __init__(self, settings: LampsSettings, pins: Factory) -> None:
        lamps = {"green": settings.green_pin, "red": settings.red_pin, "amber": settings.amber_pin}
        super().__init__(
            role="lamps", pins={name: pin for name, pin in lamps.items() if pin is not None},
            active_high=settings.active_high, patterns=PATTERNS, result_s=settings.result_s, factory=pins,
        )
