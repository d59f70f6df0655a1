"""What a check says, and what it may look at."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

TOOL_MAX_S = 10.0


class Finding(NamedTuple):
    """One thing that is wrong or doubtful: what was seen, why, and the command or change that mends it."""

    level: Literal["doubt", "fault"]
    seen: str
    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine as its files under `root` show it; `user` is the daemon's."""

    root: Path
    user: str

    def path(self, name: str | Path) -> Path:
        """Where an absolute path of the machine lies."""
        return self.root / str(name).lstrip("/")

    def read(self, name: str | Path) -> str | None:
        """A small file's text, None where there is none."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def ask(self, *command: str) -> str | None:
        """What a tool prints, None where there is no such tool or it fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TOOL_MAX_S)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None
