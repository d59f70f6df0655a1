"""The files of the pure part (levels 1 and 2 of `gate/__init__.py`), with commas, for coverage and mutation."""

from __future__ import annotations

from pathlib import Path

import gate

PACKAGE = Path(gate.__file__).parent
READS_PICTURES = frozenset({
    "engines.py", "frame.py", "ladder.py", "still.py", "straight.py", "symbols.py", "zbar.py", "zxing.py",
})
"""Called by the camera's process and by `gate decode`: pixels and files, nothing that decides."""


def pure_files() -> list[Path]:
    """Every module that decides."""
    levels = {}
    for line in (gate.__doc__ or "").splitlines():
        level, _, names = line.strip().partition(" ")
        if level in ("1", "2"):
            levels.update(dict.fromkeys((name.strip() for name in names.replace("<-", ",").split(",")), level))
    return sorted(file for file in PACKAGE.rglob("*.py")
                  if file.relative_to(PACKAGE).parts[0].removesuffix(".py") in levels
                  and file.name not in READS_PICTURES)


if __name__ == "__main__":
    print(",".join(str(file.relative_to(PACKAGE.parent)) for file in pure_files()))
