"""The live page in a real browser: it stays live, pauses from the keyboard, runs no foreign code and fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support_browser import Browser, needs_chromium
from test_web import HOSTILE, add_events, engine, served, set_status  # noqa: F401  (engine is a fixture)

from gate.model import EventKind

pytestmark = needs_chromium
READY = "document.querySelector('[data-when=live]') && !document.querySelector('[data-when=live]').hidden"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One kind is enough here: what is tested is the page."""
    return f"sqlite:///{tmp_path / 'central.db'}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    browser = Browser(str(tmp_path_factory.mktemp("profile")))
    yield browser
    browser.close()


ROWS = "document.querySelectorAll('#feed .event').length"


def test_event_appears_by_itself_and_a_gate_that_goes_away_changes_its_tile(browser, engine):  # noqa: F811
    set_status(engine)
    with served(engine) as client:
        browser.open(str(client.base_url), READY)
        assert browser.evaluate("document.querySelector('.gate').className") == "gate good"
        add_events(engine, (EventKind.ACCESS_DENIED, {"reason": "EXPIRED"}))
        browser.wait("document.querySelector('#feed').innerText.includes('Mã đã hết hạn')")
        set_status(engine, status="offline")
        browser.wait("document.querySelector('.gate').className == 'gate bad'")
        assert browser.evaluate("document.querySelectorAll('.gate').length") == 1


def test_feed_is_paused_and_resumed_from_the_keyboard(browser, engine):  # noqa: F811
    with served(engine) as client:
        browser.open(str(client.base_url), READY)
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
        browser.open(str(client.base_url), READY)
        browser.evaluate("window.alert = () => { window.ran = true }")
        add_events(engine, (EventKind.ACCESS_DENIED, hostile))
        set_status(engine, gate=HOSTILE, alerts={HOSTILE: HOSTILE})
        browser.wait(f"{ROWS} == 2 && document.querySelector('.gate')")
        assert browser.evaluate("window.ran || document.querySelectorAll('main script, main img').length") == 0


def test_lost_centre_is_said_on_the_page(browser, engine):  # noqa: F811
    with served(engine) as client:
        browser.open(str(client.base_url), READY)
    browser.wait("!document.querySelector('[data-when=lost]').hidden")


@pytest.mark.parametrize(("width", "dark"), [(320, False), (390, True), (1280, False)])
def test_nothing_sticks_out_of_the_page_or_of_its_tile(browser, engine, width, dark):  # noqa: F811
    add_events(engine, (EventKind.ACCESS_TAKEN, {"direction": "entry", "holder": "h" * 32}),
               (EventKind.ACCESS_DENIED, {"reason": "NEEDS_SECOND_CODE", "reader": "r" * 64, "direction": "exit"}))
    set_status(engine, state={"mode": "lockdown", "portal": "forced", "outbox": 1_000_000, "clock_trusted": False},
               alerts={"reader-lost": "x" * 200})
    set_status(engine, gate="g" * 64, status="offline")
    with served(engine) as client:
        browser.open(str(client.base_url), READY, width=width, dark=dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate("""[...document.querySelectorAll('.gate *, .event *')].filter((part) => {
            const inner = part.getBoundingClientRect();
            const outer = part.closest('.gate, .event').getBoundingClientRect();
            return inner.width && (inner.right > outer.right + 1 || inner.left < outer.left - 1);
        }).map((part) => part.outerHTML)""") == []
