"""A real browser for tests: one page of a headless Chromium."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--remote-debugging-pipe",
)


class Browser:
    """One page of a headless Chromium, spoken to over its debugging pipe (NUL-ended JSON on fd 3 and 4)."""

    def __init__(self, profile: str) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash",
             CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._id = 0
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def open(self, url: str, ready: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Go to a page, and wait until a JavaScript condition says that it is ready."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._call("Page.navigate", url=url)
        self.wait(ready)

    def run_first(self, script: str) -> None:
        """Run this in every page that is opened from now on, before anything of its own."""
        self._call("Page.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def screenshot(self) -> bytes:
        """What the page looks like, as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript condition holds; the test's own time limit bounds it."""
        while not self.evaluate(f"Boolean({condition})"):
            self.evaluate("new Promise((done) => setTimeout(done, 20))")

    def press(self, key: str, code: int, typed: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                       **({"text": typed} if typed and kind == "keyDown" else {}))

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.terminate()
        self._process.wait(20)

    def _call(self, method: str, **params: Any) -> Any:
        self._id += 1
        command = {"id": self._id, "method": method, "params": params, **self._session}
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while True:
            message, end, rest = self._buffer.partition(b"\0")
            if not end:
                received = os.read(self._read, 65_536)
                assert received, "the browser ended"
                self._buffer += received
                continue
            self._buffer = rest
            answer = json.loads(message)
            if answer.get("id") == self._id:
                assert "error" not in answer, answer
                return answer["result"]
