"""The live page: what operators see, how it stays live, and what it lets nobody do."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text, update

from gate.central.db import open_database, writing
from gate.central.db.models import Event, Feed, GateStatus
from gate.central.web import app as web_app
from gate.central.web.server import make_server
from gate.central.web_command import listen, refuse_unguarded
from gate.cli import main
from gate.errors import DeviceError, UsageError
from gate.model import EventKind
from gate.wire import GENESIS, seal

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202egnp.exe"
STATIC = Path(web_app.__file__).parent / "static"


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def add_events(engine, *events: tuple[EventKind, dict], gate: str = "gate-1", at: datetime = NOW,
               received_at: datetime | None = None) -> None:
    """Store events as the recorder does."""
    with writing(engine) as session:
        feed = session.query(Feed).filter_by(gate=gate).one_or_none()
        if feed is None:
            feed = Feed(site="demo", gate=gate, epoch="e1", last_seq=0, last_hash=GENESIS, first_heard_at=NOW,
                        last_heard_at=NOW)
            session.add(feed)
            session.flush()
        for kind, data in events:
            feed.last_seq += 1
            body, digest = seal(source=f"/gate/1/demo/{gate}", epoch="e1", seq=feed.last_seq, prev=feed.last_hash,
                                kind=kind, time=at.astimezone(ZONE), synced=True, data=data)
            feed.last_hash = digest
            session.add(Event(feed_id=feed.id, seq=feed.last_seq, kind=kind, time="", body=body, hash=digest,
                              received_at=received_at or at))


def set_status(engine, gate: str = "gate-1", status: str = "online", heard_at: datetime = NOW, **parts) -> None:
    state = {"mode": "normal", "portal": "closed", "outbox": 0, "clock_trusted": True} | parts.pop("state", {})
    with writing(engine) as session:
        session.merge(GateStatus(site="demo", gate=gate, status=status, state=state, info={}, heard_at=heard_at,
                                 alerts=parts.pop("alerts", {}), **parts))


@contextmanager
def served(engine) -> Iterator[httpx.Client]:
    """The page on a real server and a real socket, at NOW, with what is in the database already read."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(engine, zone=ZONE, hosts=["127.0.0.1"], now=lambda: NOW, poll_s=0.02)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
            yield client
    finally:
        server.stop()
        thread.join(timeout=20)
        listener.close()
        assert not thread.is_alive(), "an open stream held the server up"


def words(html: str) -> str:
    """What a reader sees: the text without tags, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- what it shows -----------------------------------------------------------------------------------------


def test_gate_tile_tells_state_last_passage_outbox_and_clock(engine):
    set_status(engine, alerts={"store-slow": "disk"},
               state={"outbox": 7, "clock_trusted": False, "mode": "lockdown"})
    add_events(engine, (EventKind.ACCESS_TAKEN, {"direction": "exit"}))
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert "trực tuyến online" in seen
    assert "khóa toàn bộ lockdown" in seen
    assert "Lượt qua cuối Last passage 23/11 07:00:00 ← ra out" in seen
    assert "Chờ gửi Outbox 7" in seen
    assert "chưa tin được not trusted" in seen
    assert "store-slow disk" in seen


def test_a_denial_by_a_health_rule_shows_the_rules_id(engine):
    add_events(engine, (EventKind.ACCESS_DENIED, {
        "reader": "scanner-in", "direction": "entry", "reason": "HEALTH_RULE", "rule": "hcm-3328.4", "holder": "h-1"}))
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert "Chưa đủ điều kiện y tế A health condition is not met hcm-3328.4 gate-1" in seen


def test_denial_is_told_in_vietnamese_first_with_its_reason(engine):
    add_events(engine, (EventKind.ACCESS_DENIED, {
        "reader": "scanner-in", "direction": "entry", "reason": "EXPIRED", "proof": "signed", "holder": "h-1"}))
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert "07:00:00 ✕ Từ chối Access denied Mã đã hết hạn This code has expired gate-1 → vào in" in seen
    assert "scanner-in h-1 signed" in seen


def test_newest_event_stands_first(engine):
    add_events(engine, (EventKind.GATE_STARTED, {}), (EventKind.GATE_STOPPED, {}))
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert seen.index("Cổng dừng") < seen.index("Cổng khởi động")


def test_gate_that_the_broker_calls_offline_says_since_when(engine):
    set_status(engine, status="offline", heard_at=NOW - timedelta(hours=2))
    with served(engine) as client:
        assert "mất kết nối offline từ since 23/11 05:00:00" in words(client.get("/").text)


def test_gate_that_fell_silent_is_not_called_online(engine):
    set_status(engine, heard_at=NOW - timedelta(seconds=36))
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert "im lặng silent từ since" in seen
    assert "trực tuyến" not in seen


def test_event_replayed_after_an_outage_is_marked_late_with_its_date(engine):
    add_events(engine, (EventKind.ACCESS_GRANTED, {}), at=NOW - timedelta(hours=8), received_at=NOW)
    with served(engine) as client:
        assert "22/11 23:00:00 trễ late" in words(client.get("/").text)


def test_coalesced_denials_show_how_many_they_are(engine):
    add_events(engine, (EventKind.ACCESS_DENIED, {"reason": "MALFORMED", "count": 12}))
    with served(engine) as client:
        assert "Access denied ×12" in words(client.get("/").text)


def test_empty_centre_says_what_will_happen(engine):
    with served(engine) as client:
        seen = words(client.get("/").text)
    assert "Chưa nghe thấy cổng nào" in seen
    assert "No events yet." in seen


def test_event_that_cannot_be_read_is_a_line_and_not_a_failure(engine):
    add_events(engine, (EventKind.GATE_STARTED, {}))
    with writing(engine) as session:
        session.execute(update(Event).values(body=b"{"))
    with served(engine) as client:
        assert "Sự kiện không đọc được Unreadable event" in words(client.get("/").text)


# --- what it lets nobody do --------------------------------------------------------------------------------


def test_hostile_text_from_a_gate_is_shown_and_never_becomes_markup(engine):
    add_events(engine, (EventKind.ACCESS_DENIED, {
        "reason": HOSTILE, "reader": HOSTILE, "holder": HOSTILE, "proof": HOSTILE, "direction": HOSTILE}))
    add_events(engine, (EventKind.ACCESS_TAKEN, {"direction": HOSTILE}), gate=HOSTILE)
    set_status(engine, gate=HOSTILE, status=HOSTILE, state={"mode": HOSTILE, "portal": HOSTILE, "outbox": HOSTILE},
               alerts={HOSTILE: HOSTILE})
    with served(engine) as client:
        html = client.get("/").text
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert html.count("&lt;script&gt;alert(1)") > 5


def test_strict_policy_forbids_foreign_and_inline_code(engine):
    with served(engine) as client:
        answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", answer.text)
    assert not re.findall(r"""(?:src|href)=["'](?!/[a-z])""", answer.text)


def test_page_called_by_a_foreign_name_is_refused(engine):
    with served(engine) as client:
        assert client.get("/", headers={"host": "rebound.example"}).status_code == 400


@pytest.mark.parametrize("after", ["-1", "x", "1" * 19, "²"])
def test_stream_from_no_number_is_refused(engine, after):
    with served(engine) as client:
        assert client.get("/stream", params={"after": after}).status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_address_open_to_others_is_refused_until_there_is_a_log_in(host):
    with pytest.raises(UsageError, match="has no log-in yet"):
        refuse_unguarded(host, None)
    refuse_unguarded(host, "gates.kcn.example")


def test_refused_address_exits_2_and_says_what_to_do(capsys):
    assert main(["central", "web", "--host", "0.0.0.0"]) == 2
    assert "SSH tunnel" in capsys.readouterr().err


def test_port_in_use_is_a_clear_error():
    with listen("127.0.0.1", 0) as taken, pytest.raises(DeviceError, match="choose another --port"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_port_past_the_limit_is_a_usage_error():
    with pytest.raises(UsageError, match="0 to 65535"):
        listen("127.0.0.1", 65_536)


def test_command_serves_and_ends_cleanly_at_sigterm_with_a_page_open(tmp_path):
    command = subprocess.Popen(
        [sys.executable, "-m", "gate", "central", "web", "--db", f"sqlite:///{tmp_path / 'c.db'}", "--port", "0"],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2],
    )
    assert command.stdout is not None
    url = command.stdout.readline().split()[-1]
    with httpx.stream("GET", f"{url}stream", timeout=20) as answer:
        next(lines := answer.iter_lines())
        command.terminate()
        for _ in lines:
            pass
    assert command.wait(20) == 0
    command.stdout.close()


# --- how it stays live (a real server, a real socket) ------------------------------------------------------


def messages(lines: Iterator[str]) -> Iterator[tuple[str, object]]:
    """The named messages of a stream of server-sent events."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def wait_for(stream: Iterator[tuple[str, object]], name: str, part: str) -> str:
    """The first message called `name` that holds `part`."""
    return next(json.dumps(data, ensure_ascii=False) for found, data in stream
                if found == name and part in json.dumps(data, ensure_ascii=False))


def test_new_event_and_changed_gate_are_pushed_to_an_open_page(engine):
    with served(engine) as client, client.stream("GET", "/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = messages(answer.iter_lines())
        wait_for(stream, "health", "true")
        add_events(engine, (EventKind.ACCESS_GRANTED, {"direction": "entry", "reader": HOSTILE}))
        pushed = wait_for(stream, "events", "Cho qua")
        assert "<script>" not in pushed
        assert "&lt;script&gt;" in pushed
        set_status(engine, status="offline")
        assert "mất kết nối" in wait_for(stream, "gates", "demo/gate-1")


def test_stream_that_was_lost_goes_on_where_it_ended(engine):
    add_events(engine, (EventKind.GATE_STARTED, {}), (EventKind.READER_LOST, {}), (EventKind.READER_BACK, {}))
    with served(engine) as client, client.stream(
        "GET", "/stream?after=1", headers={"Last-Event-ID": "2"},
    ) as answer:
        pushed = wait_for(messages(answer.iter_lines()), "events", "Đầu đọc trở lại")
    assert "Mất đầu đọc" not in pushed


def test_pages_past_the_limit_are_told_to_come_back(engine, monkeypatch):
    monkeypatch.setattr(web_app, "PAGES_MAX", 1)
    with served(engine) as client, client.stream("GET", "/stream") as first:
        lines = first.iter_lines()
        next(lines)
        refused = client.get("/stream")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")


def test_health_check_tells_when_the_database_cannot_be_read(engine):
    with served(engine) as client, client.stream("GET", "/stream") as answer:
        stream = messages(answer.iter_lines())
        wait_for(stream, "health", "true")
        assert client.get("/healthz").json() == {"status": "ok"}
        with writing(engine) as session:
            session.execute(text("ALTER TABLE gate_status RENAME TO gone"))
        wait_for(stream, "health", "false")
        assert client.get("/healthz").status_code == 503


# --- how it looks ------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_colour_keeps_its_contrast_in_light_and_in_dark():
    css = (STATIC / "live.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)]
    assert len(schemes) == 2
    assert set(re.findall(r"color: (?!var)\w", css)) <= {"color: l"}, "colours come from the tested variables only"
    for scheme in schemes:
        for name in ("text", "muted", "good", "bad", "alarm", "focus"):
            for ground in ("ground", "panel"):
                light, dark = sorted((luminance(scheme[name]), luminance(scheme[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground, scheme)
