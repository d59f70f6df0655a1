"""What a reader with cards and keys makes of them: a card, a card and its PIN, or a number code. Pure."""

from __future__ import annotations

from typing import NamedTuple

from gate.drivers.keypad import CLEAR, Entry
from gate.drivers.repeat import RepeatFilter


class Shown(NamedTuple):
    """A whole thing to hand on; `card` says whether it is a card's."""

    payload: bytes
    card: bool


class CardEntry:
    """The card that waits for its PIN, and the digits typed so far; time arrives as `mono`.

    With `pin_s` 0 a card is enough, and held to the reader is one scan for as long as it is seen within `repeat_s`.
    """

    def __init__(self, *, pin_s: float, digits_max: int, idle_s: float, repeat_s: float) -> None:
        self._pin_s, self._idle_s = pin_s, idle_s
        self._card = b""
        self._card_mono = 0.0
        self._entry = Entry(digits_max, idle_s)
        self._repeats = RepeatFilter(repeat_s)

    def show(self, card: bytes, mono: float) -> Shown | None:
        """A card was held to the reader; digits typed before it are not its PIN."""
        self._entry.clear()
        if self._pin_s:
            self._card, self._card_mono = card, mono
            return None
        return Shown(card, card=True) if self._repeats.is_new(card, mono) else None

    def press(self, key: int, mono: float) -> Shown | None:
        """A key was pressed."""
        number = self._entry.press(key, mono)
        if key in CLEAR:
            self._card = b""
        if number is None:
            return None
        card, self._card = self._card, b""
        return Shown(card + b"#" + number, card=True) if card else Shown(number, card=False)

    def expire(self, mono: float) -> None:
        """Forget what has been left for too long: the next person starts afresh."""
        self._entry.expire(mono)
        if self._card and mono - self._card_mono >= self._pin_s:
            self.forget()

    def forget(self) -> None:
        self._card = b""
        self._entry.clear()

    def silence_s(self) -> float | None:
        """How long a silence has a meaning now, None when it has none."""
        return self._pin_s if self._card else self._idle_s if self._entry.begun else None
