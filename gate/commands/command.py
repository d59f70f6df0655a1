"""`gate command`: ask gates to open, lock down, free the way and more; each answers: done, or refused and why."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

import msgspec

from gate import wire
from gate.command_desk import sign_command
from gate.commands.broker_options import add_broker_options, broker_of
from gate.commands.plain import complain, printable
from gate.cose import PrivateKey
from gate.errors import MalformedError, UsageError
from gate.mqtt_client import Arrived, Down, Happening, Link, Up
from gate.order import Refusal, Verb
from gate.private_key import load_private_key
from gate.texts import refusal_words
from gate.trust import kid_of

HELP = "ask gates to open, lock down, free the way, ..."
SCHEMA = "gate.command/1"
YES, NO, CANNOT = 0, 1, 3
TURN_S = 0.2
FIND_S = 2.0
"""How long a site's gates are listened for, with --all: what they said last is retained."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate command`."""
    parser.add_argument("verb", choices=[verb.value for verb in Verb])
    parser.add_argument("--site", required=True, metavar="SITE")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--gate", action="append", metavar="GATE", help="this gate; may be repeated")
    which.add_argument("--all", action="store_true", help="every gate of the site that the broker knows of")
    parser.add_argument("--actor", required=True, metavar="NAME", help="whose key it is, as the issuers document says")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the operator's private key")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line protects the key")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept with everything that is done")
    parser.add_argument("--minutes", type=float, default=0.0, help=f"open-for: at most {wire.OPEN_MAX_MINUTES}")
    parser.add_argument("--exit", action="store_true", help="open: the way out")
    parser.add_argument("--holder", default="", metavar="ID", help="override, reset-passback: this person")
    parser.add_argument("--area", default="", metavar="AREA", help="reset-passback: everybody in there")
    parser.add_argument("--wait", type=float, default=15.0, metavar="S",
                        help="how long to wait for answers, in seconds (default: %(default)g)")
    parser.add_argument("--json", action="store_true", help=f"one JSON object a gate ({SCHEMA})")
    add_broker_options(parser)


def run(args: argparse.Namespace) -> int:
    """Command, and say what came of it at each gate: 0 all have done it, 1 not all, 3 there is no broker."""
    errand = Errand(_wish_of(args), load_private_key(args.key, _passphrase(args.passphrase_file)), args.gate)
    link = Link(broker_of(args), errand.client, mono=time.monotonic, rng=SystemRandom())
    until_mono = time.monotonic() + args.wait
    try:
        while not errand.over(time.monotonic()) and time.monotonic() < until_mono:
            for happening in link.turn(TURN_S):
                for topic, payload in errand.hear(happening, link, time.monotonic()):
                    link.publish(topic, payload, qos=1)
    finally:
        link.close()
    if errand.began_mono is None:
        complain(f"không có broker / no broker: {errand.trouble}")
        return CANNOT
    if not errand.visits:
        complain(f"không thấy cổng nào ở {args.site} / no gate of {args.site} has said anything at this broker")
        return CANNOT
    for name, visit in sorted(errand.visits.items()):
        print(_json_line(name, args.verb, visit) if args.json else _line(name, visit))
    return YES if all(visit.reply and visit.reply.done for visit in errand.visits.values()) else NO


@dataclass(slots=True)
class Visit:
    """What has been said between us and one gate: our last message, the nonce it carried, the newest one since."""

    number: str = ""
    nonce: str = ""
    newest: str = ""
    reply: wire.Reply | None = None


class Errand:
    """One wish, taken to each gate under the newest nonce that it published; `wish` names no gate yet.

    A gate that finds it late is asked again with its next nonce, and one that has taken a higher counter with a higher
    one: what was refused has not been done.
    """

    def __init__(self, wish: wire.Command, private_key: PrivateKey, gates: list[str] | None) -> None:
        self.client = f"command-{secrets.token_hex(6)}"
        self.visits = {gate: Visit() for gate in gates or ()}
        self.began_mono: float | None = None
        self.trouble = "no answer"
        self._wish, self._private_key, self._find = wish, private_key, gates is None
        self._counter = time.time_ns() // 1_000_000

    def over(self, mono: float) -> bool:
        """Whether every gate has answered for good."""
        found = not self._find or (self.began_mono is not None and mono > self.began_mono + FIND_S)
        return found and bool(self.visits) and all(visit.reply for visit in self.visits.values())

    def hear(self, happening: Happening, link: Link, mono: float) -> Iterator[tuple[str, bytes]]:
        """Take note, and give what is to be published now."""
        match happening:
            case Up():
                self.began_mono = self.began_mono or mono
                for gate in ["+"] if self._find else self.visits:
                    link.subscribe(wire.up(self._wish.site, gate, "reply", self.client),
                                   wire.up(self._wish.site, gate, "state"))
            case Down(detail):
                self.trouble = detail
            case Arrived(topic=topic, payload=payload) if (place := wire.parse_topic(topic)):
                try:
                    yield from self._hear_gate(place[1], place[2], payload)
                except MalformedError as error:
                    complain(f"{place[1]}: {error}")

    def _hear_gate(self, gate: str, tail: str, payload: bytes) -> Iterator[tuple[str, bytes]]:
        visit = self.visits.setdefault(gate, Visit()) if self._find else self.visits.get(gate)
        if visit is None:
            return
        if tail == "up/state":
            visit.newest = wire.read_message(payload, "state", wire.State).nonce
            if not visit.number:
                yield from self._try_again(gate, visit)
            return
        reply = wire.read_message(payload, "reply", wire.Reply)
        if reply.command != visit.number:
            return
        if reply.refusal == Refusal.LATE:
            visit.number = ""
            yield from self._try_again(gate, visit)
        elif reply.refusal == Refusal.REPEATED and reply.detail.isdecimal() and int(reply.detail) >= self._counter:
            self._counter = int(reply.detail)
            yield self._command(gate, visit, visit.nonce)
        else:
            visit.reply = reply

    def _try_again(self, gate: str, visit: Visit) -> Iterator[tuple[str, bytes]]:
        """Command under the newest nonce, or wait for the next where that was late."""
        if visit.newest and visit.newest != visit.nonce:
            yield self._command(gate, visit, visit.newest)

    def _command(self, gate: str, visit: Visit, nonce: str) -> tuple[str, bytes]:
        self._counter += 1
        visit.nonce, visit.number = nonce, f"c{self._counter}"
        command = msgspec.structs.replace(self._wish, gate=gate, nonce=nonce, counter=self._counter)
        return wire.down(command.site, gate, "command", command.verb), sign_command(
            command, self._private_key, kid_of(self._private_key.public_key()), client=self.client, id=visit.number,
            time=datetime.now(UTC))


def _wish_of(args: argparse.Namespace) -> wire.Command:
    for name in (args.site, *(args.gate or ())):
        if not wire.is_id(name):
            raise UsageError(f"{name!r}: a name is made of a-z, 0-9 and hyphens")
    verb = Verb(args.verb)
    needed = {"--minutes": (Verb.OPEN_FOR,), "--exit": (Verb.OPEN,), "--holder": (Verb.OVERRIDE, Verb.RESET_PASSBACK),
              "--area": (Verb.RESET_PASSBACK,)}
    for option, verbs in needed.items():
        if getattr(args, option[2:]) and verb not in verbs:
            raise UsageError(f"{option} goes with {' and '.join(verbs)}")
    if verb is Verb.OPEN_FOR and not 0 < args.minutes <= wire.OPEN_MAX_MINUTES:
        raise UsageError(f"open-for: give --minutes, at most {wire.OPEN_MAX_MINUTES}")
    if verb is Verb.OVERRIDE and not args.holder:
        raise UsageError("override: give --holder")
    if not args.reason.strip() or len(args.reason) > wire.REASON_MAX_CHARS:
        raise UsageError(f"--reason: 1 to {wire.REASON_MAX_CHARS} characters")
    if args.holder and args.area:
        raise UsageError("either --holder or --area")
    return wire.Command(
        site=args.site, gate="", verb=args.verb, actor=args.actor, reason=args.reason, nonce="", counter=1,
        minutes=args.minutes, direction="exit" if args.exit else "entry", holder=args.holder, area=args.area)


def _passphrase(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes().partition(b"\n")[0]
    except OSError as error:
        raise UsageError(f"--passphrase-file {path}: {error.strerror}") from error


def _line(gate: str, visit: Visit) -> str:
    reply = visit.reply
    if reply is None:
        return f"{gate}  không trả lời / no answer" + ("" if visit.nonce else ", không có nonce / it gave no nonce")
    if reply.done:
        return printable(f"{gate}  xong / done  {reply.detail}".rstrip())
    why = refusal_words(reply.refusal)
    return printable(f"{gate}  từ chối / refused: {why.vi} / {why.en}  {reply.detail}".rstrip())


def _json_line(gate: str, verb: str, visit: Visit) -> str:
    reply = visit.reply
    answer: dict[str, Any] = {"schema": SCHEMA, "gate": gate, "verb": verb, "answered": reply is not None,
                              "done": bool(reply and reply.done), "refusal": reply.refusal if reply else "",
                              "detail": reply.detail if reply else ""}
    return msgspec.json.encode(answer).decode()
