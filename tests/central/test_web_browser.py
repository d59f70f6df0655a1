"""The live page in a real browser: it stays live, pauses from the keyboard, runs no foreign code and fits a phone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from test_web import HOSTILE, add_events, engine, served, set_status  # noqa: F401  (engine is a fixture)

from gate.model import EventKind

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
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

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._call("Page.navigate", url=url)
        self.wait("document.querySelector('[data-when=live]') && !document.querySelector('[data-when=live]').hidden")

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


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    browser = Browser(str(tmp_path_factory.mktemp("profile")))
    yield browser
    browser.close()


ROWS = "document.querySelectorAll('#feed .event').length"


def test_event_appears_by_itself_and_a_gate_that_goes_away_changes_its_tile(browser, engine):  # noqa: F811
    set_status(engine)
    with served(engine) as client:
        browser.open(str(client.base_url))
        assert browser.evaluate("document.querySelector('.gate').className") == "gate good"
        add_events(engine, (EventKind.ACCESS_DENIED, {"reason": "EXPIRED"}))
        browser.wait("document.querySelector('#feed').innerText.includes('Mã đã hết hạn')")
        set_status(engine, status="offline")
        browser.wait("document.querySelector('.gate').className == 'gate bad'")
        assert browser.evaluate("document.querySelectorAll('.gate').length") == 1


def test_feed_is_paused_and_resumed_from_the_keyboard(browser, engine):  # noqa: F811
    with served(engine) as client:
        browser.open(str(client.base_url))
        browser.press("Tab", 9)
        browser.press(" ", 32, " ")
        add_events(engine, (EventKind.GATE_STARTED, {}), (EventKind.GATE_STOPPED, {}))
        browser.wait("document.getElementById('held').textContent == '2'")
        assert browser.evaluate(ROWS) == 0
        assert "Tiếp tục (2 mới)" in browser.evaluate("document.activeElement.innerText")
        browser.press(" ", 32, " ")
        assert browser.evaluate(ROWS) == 2
        assert "Cổng dừng" in browser.evaluate("document.querySelector('#feed .event').innerText")


def test_hostile_text_runs_nothing_when_loaded_and_when_pushed(browser, engine):  # noqa: F811
    hostile = {"reason": HOSTILE, "reader": HOSTILE, "holder": HOSTILE}
    add_events(engine, (EventKind.ACCESS_DENIED, hostile))
    with served(engine) as client:
        browser.open(str(client.base_url))
        browser.evaluate("window.alert = () => { window.ran = true }")
        add_events(engine, (EventKind.ACCESS_DENIED, hostile))
        set_status(engine, gate=HOSTILE, alerts={HOSTILE: HOSTILE})
        browser.wait(f"{ROWS} == 2 && document.querySelector('.gate')")
        assert browser.evaluate("window.ran || document.querySelectorAll('main script, main img').length") == 0


def test_lost_centre_is_said_on_the_page(browser, engine):  # noqa: F811
    with served(engine) as client:
        browser.open(str(client.base_url))
    browser.wait("!document.querySelector('[data-when=lost]').hidden")


@pytest.mark.parametrize(("width", "dark"), [(320, False), (390, True), (1280, False)])
def test_nothing_sticks_out_of_the_page_or_of_its_tile(browser, engine, width, dark):  # noqa: F811
    add_events(engine, (EventKind.ACCESS_TAKEN, {"direction": "entry", "holder": "h" * 32}),
               (EventKind.ACCESS_DENIED, {"reason": "NEEDS_SECOND_CODE", "reader": "r" * 64, "direction": "exit"}))
    set_status(engine, state={"mode": "lockdown", "portal": "forced", "outbox": 1_000_000, "clock_trusted": False},
               alerts={"reader-lost": "x" * 200})
    set_status(engine, gate="g" * 64, status="offline")
    with served(engine) as client:
        browser.open(str(client.base_url), width=width, dark=dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate("""[...document.querySelectorAll('.gate *, .event *')].filter((part) => {
            const inner = part.getBoundingClientRect();
            const outer = part.closest('.gate, .event').getBoundingClientRect();
            return inner.width && (inner.right > outer.right + 1 || inner.left < outer.left - 1);
        }).map((part) => part.outerHTML)""") == []
