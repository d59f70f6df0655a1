"""A scene in which nothing moves is looked at now and then, not fifteen times a second."""

from __future__ import annotations

from typing import Any

from gate.decoder.frame import CAMERA_EXTRA, Frame, image_of, load_library
from gate.decoder.symbols import Symbol, SymbolReader

LOOK_EVERY = 15
"""One frame in so many is read although nothing has changed."""
PITCH_PX = 16
"""Distance of the pixels that are compared: any code that can be read covers several of them."""
NOISE_LEVELS = 24
"""A pixel that differs by no more than this (of 255) is a sensor's noise."""


class StillReader:
    """Gives again what `reader` saw, for as long as the scene stays the same; so a code held still stays in view."""

    def __init__(self, reader: SymbolReader) -> None:
        self._reader = reader
        self._images = load_library("PIL.Image", CAMERA_EXTRA)
        self._chops = load_library("PIL.ImageChops", CAMERA_EXTRA)
        self._seen: list[Symbol] = []
        self._sample: Any = None
        self._unread = 0

    def read(self, frame: Frame) -> list[Symbol]:
        sample = self._sampled(frame)
        if self._is_still(sample) and self._unread < LOOK_EVERY - 1:
            self._unread += 1
        else:
            self._seen, self._sample, self._unread = self._reader.read(frame), sample, 0
        return self._seen

    def _is_still(self, sample: Any) -> bool:
        """Whether this looks like the frame that was last read: slow changes add up until they count."""
        if self._sample is None or sample.size != self._sample.size:
            return False
        _, largest = self._chops.difference(sample, self._sample).getextrema()
        return bool(largest <= NOISE_LEVELS)

    def _sampled(self, frame: Frame) -> Any:
        size = max(1, frame.width // PITCH_PX), max(1, frame.height // PITCH_PX)
        return image_of(frame).resize(size, self._images.Resampling.NEAREST)
