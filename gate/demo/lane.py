"""Holds codes to the demo's readers: images before the camera, lines into the scanners, keys into the keypad.

The scanners and the keypad are real pseudo-terminals whose far ends are kept here. Another terminal asks for a
scan over a socket (`gate demo scan`), so that a visitor can try any text or image.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import termios
import threading
import tty
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gate.demo.site import DemoSite
from gate.errors import GateError, UsageError

LINES = {"scanner-in": b"\r\n", "scanner-out": b"\r\n", "keypad-in": b"#"}
"""The readers behind a pseudo-terminal, and what ends a code there."""
CAMERA = "camera-in"
READERS = (CAMERA, *LINES)
REQUEST_MAX_BYTES = 8192


class Lane:
    """The far ends of the readers, and the socket on which others may use them."""

    def __init__(self, site: DemoSite) -> None:
        self.site = site
        self._masters: dict[str, int] = {}
        self._slaves: list[int] = []
        self._shown = 0
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def __enter__(self) -> Lane:
        for name in LINES:
            master, slave = os.openpty()
            tty.setraw(slave, termios.TCSANOW)  # bytes before the gate opens it are neither echoed nor lost
            (self.site.folder / "dev" / name).symlink_to(os.ttyname(slave))
            self._masters[name] = master
            self._slaves.append(slave)
        self._server.bind(str(socket_path(self.site.folder)))
        self._server.listen()
        threading.Thread(target=self._serve, name="lane", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        socket_path(self.site.folder).unlink(missing_ok=True)
        for descriptor in (*self._masters.values(), *self._slaves):
            os.close(descriptor)

    def scan(self, reader: str, code: str) -> None:
        """Hold a code to a reader: the name of a demo code, an image file (camera only), or any text.

        Raises:
            UsageError: no such reader, or nothing that it could read.
        """
        text = self.site.codes.get(code, code)
        if reader == CAMERA:
            self._show(code, text)
        elif reader in LINES:
            os.write(self._masters[reader], text.encode() + LINES[reader])
        else:
            raise UsageError(f"no reader {reader!r}: choose one of {', '.join(READERS)}")

    def _show(self, code: str, text: str) -> None:
        """Put an image before the camera; it notices new files in its folder."""
        import segno  # noqa: PLC0415  (the central extra)

        self._shown += 1
        folder = self.site.folder / "camera"
        image = Path(code)
        if image.is_file():
            shown = folder / f"{self._shown:04d}{image.suffix}"
            shutil.copy(image, shown.with_suffix(".part"))
        else:
            shown = folder / f"{self._shown:04d}.png"
            segno.make_qr(text, error="m").save(str(shown.with_suffix(".part")), kind="png", scale=6, border=4)
        shown.with_suffix(".part").rename(shown)

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._server.accept()
            except OSError:
                return
            with visitor:
                answer = "ok"
                try:
                    request = json.loads(visitor.recv(REQUEST_MAX_BYTES))
                    self.scan(request["reader"], request["code"])
                except (GateError, ValueError, KeyError, TypeError, OSError) as error:
                    answer = str(error)
                with suppress(OSError):
                    visitor.send(answer.encode())


def socket_path(folder: Path) -> Path:
    """Where the demo of this folder listens."""
    return folder / "lane.sock"


def ask(folder: Path, reader: str, code: str) -> None:
    """Have a running demo hold a code to one of its readers.

    Raises:
        UsageError: no demo runs in this folder, or it cannot do that.
    """
    if Path(code).is_file():
        code = str(Path(code).resolve())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        try:
            channel.connect(str(socket_path(folder.resolve())))
        except OSError as error:
            raise UsageError(f"no demo runs in {folder} ({error.strerror}): start one with `make demo`") from error
        channel.send(json.dumps({"reader": reader, "code": code}).encode())
        answer = channel.recv(REQUEST_MAX_BYTES).decode()
    if answer != "ok":
        raise UsageError(answer)
