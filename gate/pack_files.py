"""Policy packs as files: those that are shipped, by name, and a site's own, by path."""

from __future__ import annotations

from pathlib import Path

from gate.errors import UsageError
from gate.policy import health
from gate.policy.health.pack import PACKS_MAX_BYTES

SHIPPED = Path(health.__file__).parent / "packs"
_CASES = ".cases.json"


def shipped_packs() -> list[str]:
    """The names of all packs that are shipped."""
    return sorted(path.stem for path in SHIPPED.glob("*.json") if not path.name.endswith(_CASES))


def read_pack(word: str) -> bytes:
    """The document of one pack: a shipped one's name, or a file.

    Raises:
        UsageError: neither.
    """
    return _read(_path(word))


def read_cases(word: str) -> bytes:
    """The table of cases beside a pack: `NAME.cases.json` beside `NAME.json`.

    Raises:
        UsageError: there is none.
    """
    path = _path(word)
    return _read(path.with_name(path.stem + _CASES))


def _path(word: str) -> Path:
    return SHIPPED / f"{word}.json" if word in shipped_packs() else Path(word)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(PACKS_MAX_BYTES + 1)
    except OSError as error:
        known = ", ".join(shipped_packs())
        raise UsageError(f"{path}: {error.strerror}; give a pack's file, or one of {known}") from error
