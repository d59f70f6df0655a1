"""The C shim between a child process and its files: compiled when it is first needed, and its record read."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("shim.c")
OPTIONS = ("-O2", "-Wall", "-Wextra", "-shared", "-fPIC")
_HEADER = struct.Struct("<c3xIQQ")


class Operation(NamedTuple):
    """One record; `number` is an offset, a length or the sync's own number, by `kind` (see the C source)."""

    kind: str
    inode: int
    number: int
    data: bytes

    def paths(self) -> list[str]:
        """The paths it tells of."""
        return self.data.decode().split("\0")


def missing() -> str:
    """Why there can be no shim on this machine; empty where it can."""
    if not Path("/proc/self/fd").is_dir():
        return "the shim needs Linux"
    return "" if shutil.which("gcc") else "the shim is compiled with gcc: apt-get install gcc libc6-dev"


@cache
def compiled() -> Path:
    """The shim as a library, made once a process and removed by the system's cleaning of temporary folders."""
    library = Path(tempfile.mkdtemp(prefix="gate-shim-")) / "shim.so"
    subprocess.run(["gcc", *OPTIONS, "-o", library, SOURCE, "-ldl", "-lpthread"], check=True)
    return library


def environment(root: Path, log: Path) -> dict[str, str]:
    """What a child's environment has to hold for its operations below `root` to be recorded in `log`."""
    return os.environ | {"LD_PRELOAD": str(compiled()), "SHIM_ROOT": str(root), "SHIM_LOG": str(log)}


def operations(log: Path) -> Iterator[Operation]:
    """The record, in order."""
    content = log.read_bytes()
    at = 0
    while at < len(content):
        kind, size, inode, number = _HEADER.unpack_from(content, at)
        at += _HEADER.size
        yield Operation(kind.decode(), inode, number, content[at:at + size])
        at += size


class Shim:
    """The shim that this process was started with."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        for name in ("shim_struck_mono", "shim_released_mono"):
            getattr(self._library, name).restype = ctypes.c_double
        self._library.shim_count.restype = ctypes.c_long

    def watch(self, root: Path, log: Path) -> None:
        """Record what this process does below `root` from now on."""
        self._library.shim_watch(str(root).encode(), str(log).encode())

    def mark(self, text: str) -> None:
        """Put a line into the record."""
        self._library.shim_mark(text.encode())

    def arm(self, call: str, nth: int, error: int) -> None:
        """Count from now on; the `nth` of these calls fails with `error`, or takes a second when that is 0."""
        self._library.shim_arm(call.encode(), ctypes.c_long(nth), error)

    def spare(self) -> None:
        """Strike nothing that the calling thread does: it stands for people, not for the gate."""
        self._library.shim_spare()

    def spare_all(self, on: bool) -> None:
        """Strike nothing for now, or do again: while a thread that stands for people begins."""
        self._library.shim_spare_all(int(on))

    def count(self, call: str) -> int:
        """How many of these calls there were since `arm`."""
        return int(self._library.shim_count(call.encode()))

    @property
    def struck_mono(self) -> float:
        """When the call was struck; 0 before."""
        return float(self._library.shim_struck_mono())

    @property
    def released_mono(self) -> float:
        """When the struck call went on; 0 before."""
        return float(self._library.shim_released_mono())
