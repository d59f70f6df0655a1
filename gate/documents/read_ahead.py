"""Keeps a file near: asks the kernel for its pages before somebody stands at the gate and waits for one of them.

A roster of a million holders is larger than what SQLite keeps of it, and a page that has to come from a card
costs milliseconds. The kernel may still drop pages when it needs the memory; then they are asked for again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

STEP_BYTES = 16 * 1024 * 1024
ASK_BYTES = 128 * 1024
"""As much as Linux reads ahead at once by default; it takes no more than that from one call."""


class ReadAhead:
    """Goes round and round through one file, a step at a time."""

    def __init__(self) -> None:
        self.at_bytes = 0

    def step(self, path: Path) -> None:
        """Ask for the next STEP_BYTES; what is near already costs microseconds, and a file that is gone nothing."""
        with suppress(OSError), path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            begin = self.at_bytes if self.at_bytes < size_bytes else 0
            self.at_bytes = min(begin + STEP_BYTES, size_bytes)
            for at in range(begin, self.at_bytes, ASK_BYTES):
                os.posix_fadvise(file.fileno(), at, ASK_BYTES, os.POSIX_FADV_WILLNEED)
