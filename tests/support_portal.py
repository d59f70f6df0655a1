"""A lane lived through by hand: who comes, what is told of them, and the seconds at which it happens."""

from __future__ import annotations

from dataclasses import replace

from gate import portal
from gate.clock import SHIFT_START
from gate.model import Contact, Decision, Direction, Effect, Flushed, Mode, Now, Proof, Reason, Release, SetMode, Tick
from gate.portal import Portal, Written

AN = Decision(True, Reason.GRANTED, Direction.ENTRY, "in", "gp1", Proof.SIGNED, holder="an", rule="r1", hint="h1")
BINH = replace(AN, holder="binh")
OUT = replace(AN, direction=Direction.EXIT)
STRANGER = Decision(False, Reason.UNKNOWN_CREDENTIAL, Direction.ENTRY, "in")
AN_DATA = {
    "reader": "in", "direction": "entry", "reason": "GRANTED", "bacnet": 1, "format": "gp1", "proof": "signed",
    "holder": "an", "rule": "r1", "hint": "h1",
}
OUT_DATA = AN_DATA | {"direction": "exit"}
LET_OUT = Release(Direction.EXIT, 0.6, must_record=False)
DOOR, PASSAGE = Contact("door", True), Contact("passage", True)
SHUT = Contact("door", False)
LOCKDOWN, FREE = SetMode(Mode.LOCKDOWN, "operator", "test"), SetMode(Mode.FREE, "operator", "test")
Life = list[tuple[float, portal.Fact]]
IN: Life = [(0, AN), (0, Written(7)), (0.1, Flushed(7))]


def lives(life: Life, lane: Portal | None = None) -> tuple[Portal, list[Effect]]:
    """The lane after facts at their seconds, a Tick before each, and what it did at the last of them."""
    lane, effects = lane or Portal(), []
    for mono, fact in life:
        lane, due = portal.on(lane, Tick(), Now(SHIFT_START, mono))
        lane, done = portal.on(lane, fact, Now(SHIFT_START, mono))
        effects = due + done
    return lane, effects
