"""A Debian of its own with systemd as its first process, in a container: what `make test-install` installs into."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gate.demo.parts import wait_for

BOOT = ("systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--quiet", "--boot", "--directory")
PATIENCE_S = 120.0
SCANNER = """
import os, sys, tty
master, slave = os.openpty()
tty.setraw(slave)
os.chmod(os.ttyname(slave), 0o666)
os.symlink(os.ttyname(slave), "/run/scanner")
print("plugged", flush=True)
while line := sys.stdin.buffer.readline():
    os.write(master, line)
"""
"""Plays a serial scanner inside: each line that it hears is a code that it has read."""


class Machine:
    """A booted container; `root` is its file system as seen from here."""

    def __init__(self, root: Path, init_pid: int) -> None:
        self.root = root
        self._enter = ("nsenter", "--all", "--target", str(init_pid), "--", "env", "--ignore-environment",
                       "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        self._scanner: subprocess.Popen[bytes] | None = None

    def try_run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root, however it ends."""
        return subprocess.run([*self._enter, *shlex.split(command)], capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S)

    def run(self, command: str) -> str:
        """Run a command as root that must succeed; what it printed."""
        done = self.try_run(command)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}{self.journal()}"
        return done.stdout.strip()

    def property(self, unit: str, name: str) -> str:
        """One property of a unit, as systemd has it."""
        return self.run(f"systemctl show --value --property={name} {unit}")

    def journal(self) -> str:
        """The end of what the units said."""
        return self.try_run("journalctl --no-pager --lines=40 --output=cat --unit=gate --unit=gate-camera").stdout

    def wait(self, what: str, command: str, answer: str) -> None:
        """Wait until a command prints this."""
        try:
            wait_for(what, lambda: self.try_run(command).stdout.strip() == answer, PATIENCE_S)
        except Exception:
            print(self.journal())
            raise

    def plug_scanner(self) -> None:
        """Put a scanner at /run/scanner."""
        self._scanner = subprocess.Popen([*self._enter, "python3", "-c", SCANNER],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._scanner.stdout is not None
        assert self._scanner.stdout.readline() == b"plugged\n"

    def scan(self, code: str) -> None:
        """Hold a code to the scanner."""
        assert self._scanner is not None and self._scanner.stdin is not None
        self._scanner.stdin.write(code.encode() + b"\r\n")
        self._scanner.stdin.flush()

    def unplug_scanner(self) -> None:
        """Take it away."""
        if self._scanner is not None:
            assert self._scanner.stdin is not None and self._scanner.stdout is not None
            self._scanner.stdin.close()
            self._scanner.wait()
            self._scanner.stdout.close()


def init_of(container_pid: int) -> int:
    """The process that runs systemd in a container, 0 while there is none yet."""
    children = Path(f"/proc/{container_pid}/task/{container_pid}/children").read_text().split()
    with suppress(FileNotFoundError):  # what prepares the container ends on its way
        return next((int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "systemd\n"), 0)
    return 0


@contextmanager
def booted(root_tar: Path, folder: Path) -> Iterator[Machine]:
    """A machine from a packed root, until the block ends."""
    root = folder / "machine"
    root.mkdir()
    subprocess.run(["tar", "-C", str(root), "-xf", str(root_tar)], check=True)
    with (folder / "console.log").open("wb") as console, subprocess.Popen(
            [*BOOT, str(root)], env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL, stdout=console, stderr=console) as container:
        wait_for("the container's first process", lambda: init_of(container.pid), PATIENCE_S)
        machine = Machine(root, init_of(container.pid))
        try:
            machine.wait("systemd", "systemctl is-system-running", "running")
            yield machine
        finally:
            machine.unplug_scanner()
            machine.try_run("systemctl poweroff --force --force")
            container.terminate()
