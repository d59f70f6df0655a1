"""`gate watch`: a broker's feed in the terminal: events as they become durable, gates that come and go, alerts."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from random import SystemRandom
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gate import wire
from gate.commands.broker_options import add_broker_options, broker_of
from gate.commands.feed_lines import event_text
from gate.commands.plain import printable
from gate.errors import MalformedError, UsageError
from gate.model import EventKind
from gate.mqtt_client import Answered, Arrived, Down, Link, Up
from gate.strict_json import NOT_IN_FORM
from gate.texts import state_words

HELP = "print a broker's feed readably"
SCHEMA = "gate.watch/1"
TURN_S = 1.0
GATE_WIDTH = 16
MOMENT_WIDTH = 24
SHOWN_MAX = 10_000
"""Epochs whose last shown event is remembered."""

GREEN, RED, AMBER, GREY, PLAIN = "32", "31", "33", "90", ""
COLOURS = {
    EventKind.ACCESS_GRANTED: GREEN, EventKind.ACCESS_TAKEN: GREEN, EventKind.ACCESS_DENIED: RED,
    EventKind.DURESS: RED, EventKind.DOOR_FORCED_OPEN: RED, EventKind.EMERGENCY: RED, EventKind.OUTPUT_FAULT: RED,
    EventKind.STORE_FAULT: RED, EventKind.EVENTS_LOST: RED, EventKind.DOOR_OPEN_TOO_LONG: AMBER,
    EventKind.READER_LOST: AMBER, EventKind.UNEXPECTED_PASSAGE: AMBER, EventKind.DOCUMENTS_REFUSED: AMBER,
}
STATUS_COLOURS = {"online": GREEN, "degraded": AMBER, "offline": RED, "stopped": GREY, "starting": GREY}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate watch`."""
    add_broker_options(parser)
    parser.add_argument("--site", metavar="SITE", help="only this site")
    parser.add_argument("--gate", metavar="GATE", help="only this gate")
    parser.add_argument("--live", action="store_true",
                        help="live copies, the moment things happen, instead of the durable events")
    parser.add_argument("--time-zone", default="Asia/Ho_Chi_Minh", metavar="ZONE",
                        help="in which times are shown (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help=f"one JSON object a message ({SCHEMA}), payload unchanged")


def run(args: argparse.Namespace) -> int:
    """Print until Ctrl-C."""
    for option in ("site", "gate"):
        if getattr(args, option) is not None and not wire.is_id(getattr(args, option)):
            raise UsageError(f"--{option}: a name is made of a-z, 0-9 and hyphens")
    topics = [wire.up(args.site or "+", args.gate or "+", tail)
              for tail in ("live" if args.live else "event", "status", "alert/+")]
    link = Link(broker_of(args), f"watch-{secrets.token_hex(4)}", mono=time.monotonic, rng=SystemRandom())
    lines = Lines(_zone(args.time_zone), colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        while True:
            for happening in link.turn(TURN_S):
                match happening:
                    case Up():
                        link.subscribe(*topics)
                    case Down(detail):
                        print(f"không có broker / no broker: {printable(detail)}", file=sys.stderr)
                    case Answered(refused=refused) if refused:
                        print(f"broker từ chối / the broker refuses: {printable(refused)}", file=sys.stderr)
                    case Arrived():
                        for line in [_json_line(happening)] if args.json else lines.of(happening):
                            print(line, flush=True)
    finally:
        link.close()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"--time-zone: none is called {name!r}; for example Asia/Ho_Chi_Minh") from error


def _json_line(message: Arrived) -> str:
    try:
        msgspec.json.decode(message.payload)  # for its faults: `format` looks less closely
        payload = msgspec.json.format(message.payload, indent=-1)
    except NOT_IN_FORM:
        payload = b"null"
    return msgspec.json.encode({
        "schema": SCHEMA, "topic": message.topic, "retained": message.retained, "payload": msgspec.Raw(payload),
    }).decode()


class Lines:
    """Turns messages into lines; what a gate sends again after an outage is shown once."""

    def __init__(self, zone: ZoneInfo, *, colour: bool) -> None:
        self._zone = zone
        self._colour = colour
        self._shown: dict[tuple[str, str], int] = {}

    def of(self, message: Arrived) -> Iterator[str]:
        """The lines that a message is worth; one that makes no sense is said to be so."""
        place = wire.parse_topic(message.topic)
        if place is None:
            return
        site, gate, tail = place
        name = f"{site}/{gate}".ljust(GATE_WIDTH)
        try:
            for moment, mark, text, colour in self._read(site, gate, tail, message.payload):
                yield self._paint(f"{moment}  {name}  {mark}  {text}", colour)
        except MalformedError as error:
            yield self._paint(f"{'':{MOMENT_WIDTH}}  {name}  ?        {printable(str(error))}", AMBER)

    def _read(self, site: str, gate: str, tail: str, payload: bytes) -> Iterator[tuple[str, str, str, str]]:
        match tail.split("/"):
            case ["up", "event"]:
                for body in wire.split_batch(payload):
                    event = wire.read_event(body)
                    key = site + "/" + gate, event.epoch
                    if event.seq > self._shown.get(key, 0):
                        if len(self._shown) > SHOWN_MAX:
                            self._shown.clear()
                        self._shown[key] = event.seq
                        moment = self._moment(event.time, believed=event.synced)
                        yield moment, f"#{event.seq:<6}", event_text(event.kind, event.data), _colour_of(event.kind)
            case ["up", "live"]:
                live = wire.read_message(payload, "live", wire.Live)
                moment, text = self._moment(_time_of(payload)), event_text(live.kind, live.event)
                yield moment, "~      ", text, _colour_of(live.kind)
            case ["up", "status"] if payload:
                status = wire.read_message(payload, "status", wire.Status)
                words = state_words(status.status)
                text = printable(f"{words.vi} / {words.en}  {status.detail}".rstrip())
                yield self._moment(_time_of(payload)), "=      ", text, STATUS_COLOURS.get(status.status, PLAIN)
            case ["up", "alert", id] if payload:
                alert = wire.read_message(payload, "alert", wire.AlertState)
                text = printable(f"cảnh báo / alert {id}: {alert.detail}")
                yield self._moment(_time_of(payload)), "!      ", text, AMBER
            case ["up", "alert", id]:
                yield " " * MOMENT_WIDTH, "!      ", printable(f"hết cảnh báo / alert over {id}"), GREY

    def _moment(self, time_: str, *, believed: bool = True) -> str:
        """A moment in our zone, in a fixed width; `?` where the gate did not believe its clock."""
        try:
            text = datetime.fromisoformat(time_).astimezone(self._zone).isoformat(" ", "milliseconds")[:23]
        except (ValueError, OverflowError):
            text = printable(time_)[:23]
        return (text + ("" if believed else "?")).ljust(MOMENT_WIDTH)

    def _paint(self, line: str, colour: str) -> str:
        return f"\x1b[{colour}m{line}\x1b[0m" if self._colour and colour else line


def _colour_of(kind: str) -> str:
    return next((colour for known, colour in COLOURS.items() if known == kind), PLAIN)


def _time_of(payload: bytes) -> str:
    return msgspec.json.decode(payload, type=wire.Message).time
