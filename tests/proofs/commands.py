"""Commands that nobody genuine sends now: forged, replayed, retained, re-ordered, late, misdirected. None is obeyed.

    python -m tests.proofs.commands --commands 1000000 [--seed 1]

Genuine commands are obeyed in between, each once, and whatever crossed the wire is recorded by the attacker, who sends
it again, changed or not, in any order and at any time. Meanwhile the gate is killed and starts again from what it had
kept, its wall clock jumps, and nonces are renewed. What is played is the pure part: the desk, the signatures and the
counters that the ledger would keep; the daemon with broker and pins is in `tests/commands/test_command.py`.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import wire
from gate.command_desk import NONCE_LIFE_S, Desk, Heard, read_kept, sign_command
from gate.model import Now
from gate.order import MAY, RefusedCommandError, Role, Verb
from gate.trust import Key, Keyring, kid_of
from gate.view import DocumentSet

SITE, GATE = "khu-a", "cong-1"
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
GENUINE_EVERY = 50
KEPT_MAX = 2_000
"""Genuine messages that the attacker remembers."""
NEEDS = {Verb.OPEN_FOR: {"minutes": 5.0}, Verb.OVERRIDE: {"holder": "h1"}}


class Site:
    """A gate, its operators, and an attacker who is the broker."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        keys = {role: Ed25519PrivateKey.generate() for role in (Role.GUARD, Role.OPERATOR, Role.ADMINISTRATOR)}
        self.keys = list(keys.items())
        self.documents = DocumentSet(keyring=Keyring(
            Key(kid_of(key.public_key()), key.public_key(), role.name.lower(), "operator", role=role)
            for role, key in keys.items()))
        self.strangers = [Ed25519PrivateKey.generate() for _ in range(4)]
        self.desk, self.kept, self.mono, self.utc = Desk(SITE, GATE), b"{}", 0.0, BEGIN
        self.nonces: list[str] = []
        self.counter = 0
        self.seen: list[Heard] = []
        self.unsent: list[tuple[Heard, float]] = []
        self.counts: Counter[str] = Counter()

    # --- what goes on ---

    def live_on(self) -> None:
        """Time goes by, the clock jumps, or the gate is killed and starts again."""
        self.mono += self.rng.choice((0.0, 0.01, 0.1, 1.0))
        if self.rng.random() < 0.002:
            self.utc = BEGIN + timedelta(days=self.rng.uniform(-20_000, 20_000))
            self.counts["clock jumps"] += 1
        if self.rng.random() < 0.001:
            self.desk = Desk(SITE, GATE, counters=read_kept(self.kept))
            self.mono = self.rng.uniform(0.0, self.mono)  # a monotonic clock begins anew with the machine
            self.unsent.clear()  # so an age by that clock says nothing any more
            self.counts["kills"] += 1
        if self.desk.wants_nonce(self.mono):
            self.nonces.append(f"{self.rng.getrandbits(128):032x}")
            self.desk = self.desk.issued(self.nonces[-1], self.mono)

    def sign(self, role: Role, key: Ed25519PrivateKey, verb: Verb, **changes: object) -> Heard:
        self.counter += 1
        command = wire.Command(**{  # type: ignore[arg-type]
            "site": SITE, "gate": GATE, "verb": verb.value, "actor": role.name.lower(), "reason": "r",
            "nonce": self.nonces[-1], "counter": self.counter, **NEEDS.get(verb, {}), **changes})
        own = dict(self.keys)[role]
        return Heard(sign_command(command, key, kid_of(own.public_key()), client="c", id="m", time=BEGIN), command.verb)

    def genuine(self) -> Heard:
        """A command that the gate has to obey if it comes at once."""
        role, key = self.rng.choice(self.keys)
        return self.sign(role, key, self.rng.choice([verb for verb in Verb if MAY[verb] <= role]))

    def tell(self, heard: Heard) -> bool:
        """Let the gate hear it; whether it obeyed."""
        try:
            self.desk, order = self.desk.judge(heard, self.documents, Now(self.utc, self.mono, self.rng.random() < 0.5))
        except RefusedCommandError as error:
            self.counts[f"refused: {error.refusal.value}"] += 1
            return False
        self.kept = order.kept
        return True

    # --- the attacks ---

    def forged(self) -> Heard:
        """In an operator's name, under a key that is not theirs."""
        role, _ = self.rng.choice(self.keys)
        return self.sign(role, self.rng.choice(self.strangers), self.rng.choice(list(Verb)))

    def altered(self) -> Heard:
        """A genuine one with a bit changed in what is signed."""
        heard = self.rng.choice(self.seen) if self.seen else self.genuine()
        envelope = wire.read_message(heard.payload, "command", wire.SignedCommand)
        signed = bytearray(base64.b64decode(envelope.sign1))
        signed[self.rng.randrange(len(signed))] ^= 1 << self.rng.randrange(8)
        return heard._replace(payload=wire.message(
            "command", "s", "m", BEGIN, wire.SignedCommand("c", base64.b64encode(signed).decode())))

    def replayed(self) -> Heard:
        """One that was obeyed, now or long ago."""
        return self.rng.choice(self.seen) if self.seen else self.forged()

    def retained(self) -> Heard:
        """A genuine one that nobody has heard yet, and that the broker retains."""
        return self.genuine()._replace(retained=True)

    def reordered(self) -> Heard:
        """A genuine one that a later one of the same key has overtaken."""
        role, key = self.rng.choice(self.keys)
        verb = self.rng.choice([verb for verb in Verb if MAY[verb] <= role])
        first, second = self.sign(role, key, verb), self.sign(role, key, verb)
        if not self.tell(second):
            self.counts["genuine, not obeyed"] += 1
        self.counts["genuine, obeyed"] += 1
        return first

    def late(self) -> Heard:
        """A genuine one that was held back for longer than a nonce lives."""
        self.unsent.append((self.genuine(), self.mono))
        if self.mono > self.unsent[0][1] + NONCE_LIFE_S:
            return self.unsent.pop(0)[0]
        return self.sign(Role.ADMINISTRATOR, dict(self.keys)[Role.ADMINISTRATOR], Verb.OPEN,
                         nonce=self.rng.choice(self.nonces[:-6] or ["0" * 32]))

    def misled(self) -> Heard:
        """A genuine one for another gate, without a reason, beyond the role, or under another verb's topic."""
        role, key = self.rng.choice(self.keys)
        match self.rng.randrange(4):
            case 0:
                return self.sign(role, key, Verb.OPEN, gate="cong-2")
            case 1:
                return self.sign(role, key, Verb.OPEN, reason=" ")
            case 2:
                return self.sign(Role.GUARD, dict(self.keys)[Role.GUARD], Verb.EVACUATE)
            case _:
                return self.sign(role, key, Verb.OPEN)._replace(verb=Verb.EVACUATE.value)

    def nonsense(self) -> Heard:
        """Bytes."""
        return Heard(self.rng.randbytes(self.rng.randrange(200)), self.rng.choice(list(Verb)).value)


ATTACKS: tuple[Callable[[Site], Heard], ...] = (
    Site.forged, Site.altered, Site.replayed, Site.retained, Site.reordered, Site.late, Site.misled, Site.nonsense)


def prove(seed: int, commands: int) -> Counter[str]:
    """Send so many commands that must not be obeyed; what came of them."""
    site = Site(Random(seed))
    for number in range(commands):
        site.live_on()
        if number % GENUINE_EVERY == 0:
            heard = site.genuine()
            site.counts["genuine, obeyed" if site.tell(heard) else "genuine, not obeyed"] += 1
            site.seen = [*site.seen[-KEPT_MAX:], heard]
        attack = site.rng.choice(ATTACKS)
        site.counts[attack.__name__] += 1
        site.counts["executed"] += site.tell(attack(site))
    return site.counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was sent and what came of it; 1 when a command was obeyed that must not be, or a genuine one not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    counts = prove(args.seed, args.commands)
    for name, count in sorted(counts.items()):
        print(f"{count:>10,}  {name}")
    return 1 if counts["executed"] or counts["genuine, not obeyed"] else 0


if __name__ == "__main__":
    sys.exit(main())
