"""What operators may ask of a gate, who may ask what, and a command that was believed. The words only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from gate.errors import GateError


class Role(IntEnum):
    """What a person at the centre may do; each may do what the one before may."""

    VIEWER = 0
    GUARD = 1
    OPERATOR = 2
    ADMINISTRATOR = 3


class Verb(StrEnum):
    """The last level of `down/command/{verb}`."""

    OPEN = "open"
    OPEN_FOR = "open-for"
    OVERRIDE = "override"
    LOCKDOWN = "lockdown"
    EVACUATE = "evacuate"
    NORMAL = "normal"
    RESET_PASSBACK = "reset-passback"
    IDENTIFY = "identify"
    DOCUMENTS = "documents"
    RESTART = "restart"


MAY: dict[Verb, Role] = {
    Verb.OPEN: Role.GUARD,
    Verb.OVERRIDE: Role.GUARD,
    Verb.IDENTIFY: Role.GUARD,
    Verb.OPEN_FOR: Role.OPERATOR,
    Verb.LOCKDOWN: Role.OPERATOR,
    Verb.EVACUATE: Role.OPERATOR,
    Verb.NORMAL: Role.OPERATOR,
    Verb.RESET_PASSBACK: Role.OPERATOR,
    Verb.DOCUMENTS: Role.ADMINISTRATOR,
    Verb.RESTART: Role.ADMINISTRATOR,
}
"""The least role that each verb asks for."""


class Refusal(StrEnum):
    """Why a command is not carried out; `gate.texts` has the words."""

    RETAINED = "retained"
    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    ANOTHER_GATE = "another-gate"
    REASONLESS = "reasonless"
    ROLE = "role"
    LATE = "late"
    REPEATED = "repeated"
    LOCKDOWN = "lockdown"
    LANE = "lane"
    NO_PRESENCE = "no-presence"
    BY_HAND = "by-hand"


class RefusedCommandError(GateError, ValueError):
    """A command that is not carried out, and why."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal.value}: {detail}" if detail else refusal.value)
        self.refusal, self.detail = refusal, detail


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was believed and is to be carried out once.

    `actor` asks for it because of `cause`; `open_s`, `exit`, `holder` and `area` say what of, as the verb needs it.
    `kept` has to be remembered before anything is done, so that it is never done again. The answer goes to `client`
    and names the message `number`.
    """

    verb: Verb
    actor: str
    cause: str
    open_s: float = 0.0
    exit: bool = False
    holder: str = ""
    area: str = ""
    kept: bytes = b""
    client: str = ""
    number: str = ""
