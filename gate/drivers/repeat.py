"""Tells a newly shown code from one that is still being shown."""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED_MAX = 64
"""How many payloads one filter remembers; the one unseen for longest makes room."""


class RepeatFilter:
    """Lets a payload through once for as long as it stays in view.

    A payload is new again when it was out of sight for `window_s`: each sight, new or not, renews the window,
    so that a phone held up while its owner passes never opens the gate for the person behind.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen_mono: OrderedDict[bytes, float] = OrderedDict()

    def is_new(self, payload: bytes, mono: float) -> bool:
        """Note that `payload` is in view at `mono` (monotonic seconds); whether that begins a new showing."""
        before = self._seen_mono.pop(payload, None)
        self._seen_mono[payload] = mono
        if len(self._seen_mono) > REMEMBERED_MAX:
            self._seen_mono.popitem(last=False)
        return before is None or mono - before >= self._window_s
