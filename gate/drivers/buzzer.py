"""A buzzer that sounds while its pin is on: each signal has a rhythm of its own, for whoever sees no lamp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gate import config
from gate.drivers.pattern import Pattern, PatternIndicator, Step, steady
from gate.drivers.pins import BcmPin
from gate.model import Signal

if TYPE_CHECKING:
    from gpiozero import Factory


class BuzzerSettings(config.Section, frozen=True, kw_only=True):
    """Where the buzzer is: an active one, which needs only power to sound."""

    pin: BcmPin
    active_high: bool = True
    result_s: config.Seconds = 2.0
    """How long a granted, denied or reading signal has before the lane's own comes back."""


def _beeps(*lengths_s: float, pause_s: float = 0.15, repeat: bool = False) -> Pattern:
    """Beeps of these lengths, each followed by a pause; once, and then silence, unless repeated."""
    steps = [Step(on, lasts_s) for length_s in lengths_s for on, lasts_s in ((_ON, length_s), (_OFF, pause_s))]
    return Pattern(tuple(steps), repeat)


_ON, _OFF = frozenset({"sound"}), frozenset[str]()

PATTERNS = {
    Signal.IDLE: steady(),
    Signal.READING: _beeps(0.03),
    Signal.GRANTED: _beeps(0.2),
    Signal.DENIED: _beeps(0.15, 0.15, 0.15),
    Signal.CALL_GUARD: _beeps(0.6, 0.6),
    Signal.PREALARM: _beeps(0.1, pause_s=0.9, repeat=True),
    Signal.ALARM: steady("sound"),
    Signal.LOCKDOWN: _beeps(1.5),
    Signal.FREE: _beeps(0.1, 0.1),
    Signal.IDENTIFY: _beeps(0.3, 0.3, 0.3, 0.3, pause_s=0.7),
}

LOOKS = {
    Signal.IDLE: ("im lặng", "silence"),
    Signal.READING: ("một tiếng tích", "one tick"),
    Signal.GRANTED: ("một tiếng bíp ngắn", "one short beep"),
    Signal.DENIED: ("ba tiếng bíp ngắn", "three short beeps"),
    Signal.CALL_GUARD: ("hai tiếng bíp dài", "two long beeps"),
    Signal.PREALARM: ("mỗi giây một tiếng bíp", "a beep each second"),
    Signal.ALARM: ("kêu liên tục", "a continuous tone"),
    Signal.LOCKDOWN: ("một tiếng rất dài, rồi im", "one very long beep, then silence"),
    Signal.FREE: ("hai tiếng bíp rất ngắn", "two very short beeps"),
    Signal.IDENTIFY: ("bốn tiếng bíp, mỗi giây một tiếng", "four beeps, one a second"),
}
"""What a person hears of each pattern, in Vietnamese and English."""


class BuzzerIndicator(PatternIndicator):
    """Tells each signal by sound alone."""

    Settings = BuzzerSettings
    LOOKS = LOOKS

    def __init__(self, settings: BuzzerSettings, pins: Factory) -> None:
        super().__init__(
            role="buzzer", pins={"sound": settings.pin}, active_high=settings.active_high, patterns=PATTERNS,
            result_s=settings.result_s, factory=pins,
        )
