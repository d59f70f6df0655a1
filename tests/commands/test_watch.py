"""`gate watch`: what an operator reads in the terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import pytest
from support_mosquitto import Mosquitto, needs_mosquitto
from support_outbox import MemoryOutbox

from gate import wire
from gate.cli import main
from gate.clock import SHIFT_START
from gate.commands.watch import Lines
from gate.model import EventKind
from gate.mqtt_client import Arrived

SITE, GATE = "tan-thuan", "cong-a"
EVENTS = wire.up(SITE, GATE, "event")


def lines(tail: str, payload: bytes, printer: Lines | None = None) -> list[str]:
    printer = printer or Lines(ZoneInfo("Asia/Ho_Chi_Minh"), colour=False)
    return list(printer.of(Arrived(wire.up(SITE, GATE, *tail.split("/")), payload, False, 1, 1, 1)))


def test_denied_entry_reads_in_both_languages_at_local_time() -> None:
    outbox = MemoryOutbox()
    outbox.append(1, EventKind.ACCESS_DENIED, reason="EXPIRED", reader="camera-in")
    assert lines("event", outbox.batch(1, 1)) == [
        "2026-11-23 06:55:00.000   tan-thuan/cong-a  #1       Từ chối / Access denied  "
        "Mã đã hết hạn / This code has expired  reason=EXPIRED  reader=camera-in"]


def test_what_is_sent_again_is_shown_once() -> None:
    outbox, printer = MemoryOutbox(), Lines(ZoneInfo("Asia/Ho_Chi_Minh"), colour=False)
    outbox.append(5)
    assert len(lines("event", outbox.batch(1, 4), printer)) == 4
    assert len(lines("event", outbox.batch(2, 5), printer)) == 1


def test_nothing_in_a_message_steers_the_terminal() -> None:
    outbox = MemoryOutbox()
    outbox.append(1, EventKind.ACCESS_DENIED, reason="\x1b[2J\x1b]0;x\x07", note="\u202eabc\r\n")
    alert = wire.message("alert", "s", "1", SHIFT_START, wire.AlertState("x", "\x1b[31m\n\u2066"))
    for text in lines("event", outbox.batch(1, 1)) + lines("alert/x", alert) + lines("event", b"\x1b[2J"):
        assert text.isprintable(), text


@pytest.mark.parametrize("junk", [b"", b"[", b"{}", b"\xff\xfe", b"null", b"[" * 100_000])
@pytest.mark.parametrize("tail", ["event", "live", "status", "alert/x"])
def test_junk_is_said_to_be_junk(tail: str, junk: bytes) -> None:
    assert all(line.isprintable() for line in lines(tail, junk))


def test_impossible_time_is_shown_as_it_stands() -> None:
    status = wire.message("status", "s", "1", SHIFT_START, wire.Status("online")).replace(b"2026-11-22", b"0001-01-01")
    assert "trực tuyến / online" in lines("status", status)[0]


def test_usage_errors_say_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, word in (
        (["--site", "Tân Thuận"], "a-z"), (["--port", "0"], "1 to 65535"), (["--tls-cert", "x"], "go together"),
        (["--password-file", "/nowhere"], "not there"), (["--time-zone", "Sao/Hoa"], "Asia/Ho_Chi_Minh"),
    ):
        assert main(["watch", "--broker", "127.0.0.1", *arguments]) == 2
        assert word in capsys.readouterr().err


@contextmanager
def watching(mosquitto: Mosquitto, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "gate", "watch", "--broker", "127.0.0.1", "--port", str(mosquitto.port), *arguments],
        stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate()


@needs_mosquitto
@pytest.mark.parametrize("arguments", [[], ["--json"], ["--site", SITE, "--gate", GATE]])
def test_feed_is_printed_as_it_comes(mosquitto: Mosquitto, arguments: list[str]) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe()
    outbox.append(3)
    online = wire.message("status", wire.source(SITE, GATE), "1", SHIFT_START, wire.Status("online"))
    probe.publish(wire.up(SITE, GATE, "status"), online, retain=True)
    with watching(mosquitto, *arguments) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        assert "online" in first
        probe.publish(EVENTS, outbox.batch(1, 3))
        said = child.stdout.readline()
        if "--json" in arguments:
            message = json.loads(said)
            assert (message["schema"], message["topic"], len(message["payload"])) == ("gate.watch/1", EVENTS, 3)
        else:
            assert "Cho qua / Access granted" in said
            assert "\x1b" not in first + said, "no colour where nobody looks"
