"""The processes of the demo: broker, recorder, live page, gate; started in order, stopped in reverse."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gate.demo.site import DemoSite
from gate.errors import GateError, UsageError

READY_S = 40.0
STOP_S = 10.0
WEB_PORT = 8480


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody has it, else any free loopback port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, ready: Callable[[], object], timeout_s: float = READY_S) -> None:
    """Wait until `ready` says so.

    Raises:
        GateError: it did not within `timeout_s`.
    """
    until_mono = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > until_mono:
            raise GateError(f"{what} is not there after {timeout_s:.0f} s")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether somebody answers on a loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Parts:
    """The demo's processes by name; each writes to a file of its own under `log/`."""

    def __init__(self, site: DemoSite, web_port: int) -> None:
        self.site = site
        self.web_port = web_port
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def page(self) -> str:
        """Where the live page is."""
        return f"http://127.0.0.1:{self.web_port}/"

    def __enter__(self) -> Parts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    def start_broker(self) -> None:
        """mosquitto on loopback, with passwords and rules of its own, whatever else runs on this machine."""
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise UsageError("mosquitto is not installed: sudo apt install mosquitto")
        folder, port = self.site.folder, self.site.broker_port
        (folder / "mosquitto.conf").write_text(
            f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {folder}/mosquitto.passwords\nacl_file {folder}/mosquitto.acl\n"
            f"persistence true\npersistence_location {folder}/\n")  # what waits for the recorder outlives a restart
        self._start("broker", [program, "-c", str(folder / "mosquitto.conf")])
        wait_for("the broker", lambda: listens(port))

    def start_central(self) -> None:
        """Recorder and live page."""
        self.start_recorder()
        self._start_gate("web", "central", "web", "--db", self.site.database, "--port", str(self.web_port))
        wait_for("the live page", lambda: listens(self.web_port))

    def start_recorder(self) -> None:
        """What keeps the gate's events; it may begin before the broker does."""
        site = self.site
        self._start_gate("recorder", "central", "recorder", "--broker", "127.0.0.1", "--port", str(site.broker_port),
                         "--username", "recorder", "--password-file", str(site.folder / "recorder.password"),
                         "--db", site.database, "--key", str(site.folder / "recorder.pem"), "--site", "demo")

    def start_gate(self) -> None:
        """The gate itself."""
        self._start_gate("gate", "run", "--config", str(self.site.config))

    def stop(self, name: str) -> int:
        """End one process in peace, or by force after STOP_S; its exit code."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def fallen(self) -> list[str]:
        """The processes that ended by themselves, which none should."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def log(self, name: str) -> Path:
        """What a process printed."""
        return self.site.folder / "log" / f"{name}.log"

    def _start_gate(self, name: str, *arguments: str) -> None:
        self._start(name, [sys.executable, "-m", "gate", *arguments])

    def _start(self, name: str, command: Sequence[str]) -> None:
        with self.log(name).open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo, which then stops the parts in order.
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


