"""Fuzzes one target in this process, which ends with it: `python -m tests.fuzz.one NAME SECONDS`; see `tests.fuzz`."""

from __future__ import annotations

import hashlib
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gate", "tuf", "stdnum"]):
    from tests.fuzz.table import TARGETS
    from tests.fuzz.target import CORPUS, KEPT, Target

UNIT_MAX_S, MEMORY_MAX_MIB = 5, 2048


class Watch:
    """Feeds a target, and saves the first input of each kind that breaks a promise."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._seen: set[object] = set()

    def __call__(self, data: bytes) -> None:
        try:
            self._target.feed(data)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error), last.filename, last.lineno)
            if kind not in self._seen:
                self._seen.add(kind)
                name = f"{self._target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
                (self._folder / name).write_bytes(data)
                (self._folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))


def escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def fuzz_one(target: Target, seconds: int) -> None:
    """Fuzz, then end the process (libFuzzer does)."""
    kept, found = KEPT / "corpus" / target.name, KEPT / "found"
    for folder in (kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}", f"-max_len={target.max_bytes}", f"-timeout={UNIT_MAX_S}",
        f"-rss_limit_mb={MEMORY_MAX_MIB}", f"-artifact_prefix={found}/{target.name}-", "-print_final_stats=1",
        "-verbosity=0",
    ]
    if target.words:
        dictionary = KEPT / f"{target.name}.dict"
        dictionary.write_text("".join(f'"{escaped(word)}"\n' for word in target.words))
        options.append(f"-dict={dictionary}")
    folders = [str(folder) for folder in (kept, CORPUS / target.name) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, *folders], Watch(target, found))
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz_one(next(target for target in TARGETS if target.name == sys.argv[1]), int(sys.argv[2]))
