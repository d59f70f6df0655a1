"""Commands, both directions: signing one, and the desk at which a gate believes one, once. Pure.

A command is believed when everything below holds, checked in this order:

    not retained       a broker repeats what it retains to whoever connects
    signed             by an operator's key that is in force; nothing inside is read before
    for this gate      by name, and under the verb of its topic
    by this person     the key's own, with a reason, and of a role that may
    fresh              it carries a nonce that this gate issued within NONCE_LIFE_S of its own monotonic clock
    new                its counter is higher than any before under the same key

So a right clock is not needed, neither here nor at the operator's. A restart issues new nonces, and the counters
outlive it: whoever carries out an order stores `kept` before acting.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import msgspec

from gate import wire
from gate.cose import PrivateKey, sign1
from gate.errors import CodeError, MalformedError
from gate.model import Now
from gate.order import MAY, Order, Refusal, RefusedCommandError, Verb
from gate.strict_json import NOT_IN_FORM
from gate.trust import Key, Purpose, key_id, unseal_with
from gate.view import DocumentSet

PURPOSE: Purpose = "operator"
"""The purpose of a key in the issuers document that commands; its issuer's id is the actor's."""
NONCE_LIFE_S = 30.0
"""A command that is older never acts, wherever it was held up."""
NONCE_RENEW_S = 10.0


def sign_command(command: wire.Command, private_key: PrivateKey, kid: bytes, *, client: str, id: str,
                 time: datetime) -> bytes:
    """The payload of `down/command/{verb}`; the gate answers to `client`, naming `id`."""
    signed = sign1(msgspec.json.encode(command), private_key, kid)
    return wire.message("command", wire.source(command.site, command.gate), id, time,
                        wire.SignedCommand(client, base64.b64encode(signed).decode()))


class Heard(NamedTuple):
    """A message on `down/command/{verb}`, before anybody believes it."""

    payload: bytes
    verb: str
    retained: bool = False


def sender(payload: bytes) -> tuple[str, str]:
    """The client that waits for an answer, and the message's id; both empty where none is named in form."""
    try:
        envelope = msgspec.json.decode(payload[:wire.COMMAND_MAX_BYTES + 1], type=wire.Message)
        client = msgspec.json.decode(envelope.data, type=wire.SignedCommand).client
    except NOT_IN_FORM:
        return "", ""
    return (client, envelope.id) if wire.is_id(client) and wire.is_id(envelope.id) else ("", "")


class Nonce(NamedTuple):
    """Something random that a gate published."""

    text: str
    issued_mono: float


@dataclass(frozen=True, slots=True)
class Desk:
    """What one gate has issued and taken; `counters` holds the last one of each key by its id."""

    site: str
    gate: str
    nonces: tuple[Nonce, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)

    def wants_nonce(self, mono: float) -> bool:
        """Whether it is time for another one."""
        return not self.nonces or mono >= self.nonces[-1].issued_mono + NONCE_RENEW_S

    def issued(self, text: str, mono: float) -> Desk:
        """With one more nonce; what is too old is forgotten."""
        return replace(self, nonces=(*self._fresh(mono), Nonce(text, mono)))

    def judge(self, heard: Heard, documents: DocumentSet, now: Now) -> tuple[Desk, Order]:
        """Believe a command, and give the desk that will not believe it again.

        Raises:
            RefusedCommandError: it is not to be carried out.
        """
        if heard.retained:
            raise RefusedCommandError(Refusal.RETAINED)
        signed, key = _prove(heard.payload, documents, now)
        command, verb = _read(signed, heard.verb)
        if (command.site, command.gate) != (self.site, self.gate):
            raise RefusedCommandError(Refusal.ANOTHER_GATE, f"{command.site}/{command.gate}"[:130])
        if command.actor != key.issuer:
            raise RefusedCommandError(Refusal.UNSIGNED, f"the key is {key.issuer}'s")
        if not command.reason.strip():
            raise RefusedCommandError(Refusal.REASONLESS)
        if key.role < MAY[verb]:
            raise RefusedCommandError(Refusal.ROLE, f"{verb.value} asks for {MAY[verb].name.lower()}")
        if command.nonce not in {nonce.text for nonce in self._fresh(now.mono)}:
            raise RefusedCommandError(Refusal.LATE)
        number = key_id(key.kid)
        if command.counter <= (last := self.counters.get(number, 0)):
            raise RefusedCommandError(Refusal.REPEATED, str(last))
        desk = replace(self, counters={**self._in_force(documents), number: command.counter})
        client, message_id = sender(heard.payload)
        return desk, Order(
            verb, command.actor, command.reason.strip(), open_s=60 * command.minutes, exit=command.direction == "exit",
            holder=command.holder, area=command.area, kept=desk.kept, client=client, number=message_id)

    @property
    def kept(self) -> bytes:
        """The counters as the ledger keeps them."""
        return msgspec.json.encode(self.counters)

    def _fresh(self, mono: float) -> tuple[Nonce, ...]:
        return tuple(nonce for nonce in self.nonces if nonce.issued_mono <= mono < nonce.issued_mono + NONCE_LIFE_S)

    def _in_force(self, documents: DocumentSet) -> dict[str, int]:
        """The counters without those of keys that nobody holds any more: their number stays bounded."""
        known = {key_id(key.kid) for key in documents.keyring.keys if key.purpose == PURPOSE}
        return {number: counter for number, counter in self.counters.items() if number in known}


def read_kept(kept: bytes | None) -> dict[str, int]:
    """The counters that the ledger kept; none where it has none yet."""
    return {} if kept is None else msgspec.json.decode(kept, type=dict[str, int])


def _prove(payload: bytes, documents: DocumentSet, now: Now) -> tuple[bytes, Key]:
    """What an operator's key signed, and that key."""
    if len(payload) > wire.COMMAND_MAX_BYTES:
        raise RefusedCommandError(Refusal.MALFORMED, f"{len(payload)} bytes")
    try:
        envelope = wire.read_message(payload, "command", wire.SignedCommand)
        return unseal_with(envelope.sign1, documents.keyring, PURPOSE, lambda key: _in_force(key, documents, now))
    except MalformedError as error:
        raise RefusedCommandError(Refusal.UNSIGNED, "no signed command in form") from error
    except CodeError as error:
        raise RefusedCommandError(Refusal.UNSIGNED, "under no operator's key") from error


def _in_force(key: Key, documents: DocumentSet, now: Now) -> bool:
    """Whether a key may command; a clock that nobody vouches for ends no key's life."""
    if key_id(key.kid) in documents.revocations.keys or key.fingerprint in documents.keyring.withdrawn:
        return False
    begun = key.valid_from_at is None or key.valid_from_at <= now.utc
    over = key.valid_until_at is not None and key.valid_until_at <= now.utc
    return not now.trusted or (begun and not over)


def _read(signed: bytes, topic_verb: str) -> tuple[wire.Command, Verb]:
    """What the signed bytes ask for, with all that its verb needs."""
    try:
        command = msgspec.json.decode(signed, type=wire.Command)
        verb = Verb(command.verb)
    except (*NOT_IN_FORM, ValueError) as error:
        raise RefusedCommandError(Refusal.MALFORMED, str(error)[:200]) from error
    if command.verb != topic_verb:
        raise RefusedCommandError(Refusal.MALFORMED, "its topic names another verb")
    if (verb is Verb.OPEN_FOR) is not (command.minutes > 0):
        raise RefusedCommandError(Refusal.MALFORMED, "minutes go with open-for, and only there")
    if verb is Verb.OVERRIDE and not command.holder:
        raise RefusedCommandError(Refusal.MALFORMED, "an override names the holder")
    if command.holder and command.area:
        raise RefusedCommandError(Refusal.MALFORMED, "either a holder or an area")
    return command, verb
