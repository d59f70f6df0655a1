"""What a fuzz target is: a reader of hostile bytes, the errors it documents, and what holds for all that it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
KEPT = Path("var/fuzz")
"""Where a run keeps what it finds."""


def nothing_more(_data: bytes, _result: Any) -> None:
    """That only documented errors come out is all that is asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """`read` may raise what `refuses` lists, and nothing else; `holds` asserts what is true of all that was read."""

    name: str
    read: Callable[[bytes], Any]
    refuses: tuple[type[Exception], ...]
    holds: Callable[[bytes, Any], None] = nothing_more
    max_bytes: int = 4096
    words: Sequence[bytes] = ()
    """Words of its language, for the fuzzer's dictionary."""

    def feed(self, data: bytes) -> None:
        """Read `data`; raises when a promise is broken."""
        try:
            result = self.read(data)
        except self.refuses:
            return
        self.holds(data, result)

    def corpus(self) -> list[Path]:
        """The inputs of our own making that are kept for it."""
        return sorted((CORPUS / self.name).glob("*"))
