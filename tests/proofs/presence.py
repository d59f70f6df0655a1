"""Gates of one site that part, meet, restart and hear late, twice and out of order: by how much a limit is exceeded.

    python -m tests.proofs.presence --steps 1000000 --gates 50 [--seed 1]

People go in and out at random gates of a network that falls apart and heals, while each gate admits by what it knows.
Checked after each entry, with the limit L:

- shared: there are at most L people inside, and those whose entry this gate had not yet heard of;
- share: there are never more than L, whatever the clocks, the network and the restarts do.

Whenever the network is whole and quiet all gates hold the same moves, and, where clocks are right, those are the truth.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from gate.model import Move, Now
from gate.presence import OUTSIDE, Presence

BEGIN = datetime(2026, 11, 23, 5, tzinfo=UTC)
AREA, COMPANY = "hall", "c1"
SKEW_MAX_S = 0.4
STEP_S = 1.0
"""Nobody walks from one gate to the next in less than clocks differ."""
FAULTS = ("over the limit", "gates that disagree", "gates that are wrong")


@dataclass
class Peer:
    """A gate: what survives its restart is in `presence`, and its own clock is `skew_s` off, or not trusted."""

    presence: Presence
    skew_s: float
    trusted: bool
    group: int = 0
    began_s: float = 0.0

    def now(self, at_s: float) -> Now:
        return Now(BEGIN + timedelta(seconds=at_s + self.skew_s), at_s - self.began_s, self.trusted)


class Site:
    """One run: `mode` is shared or share; without `right_clocks` some gates know no time at all."""

    def __init__(self, rng: Random, gates: int, mode: str, right_clocks: bool = True) -> None:
        self.rng, self.mode, self.right_clocks = rng, mode, right_clocks
        self.peers = [Peer(Presence(f"g{number}"), rng.uniform(-SKEW_MAX_S, SKEW_MAX_S),
                           right_clocks or rng.random() < 0.5) for number in range(gates)]
        self.limit = rng.randint(gates, 6 * gates)
        cuts = sorted(rng.randint(0, self.limit) for _ in range(gates - 1))
        self.shares = [high - low for low, high in zip([0, *cuts], [*cuts, self.limit], strict=True)]
        self.people = [f"p{number}" for number in range(3 * self.limit)]
        self.entered: dict[str, Move] = {}
        """Who is inside in truth, by the move that brought them in."""
        self.wire: list[tuple[int, Move]] = []
        self.heard: list[set[Move]] = [set() for _ in self.peers]
        self.at_s = 0.0
        self.counts: Counter[str] = Counter(dict.fromkeys(FAULTS, 0))
        self.worst_excess = 0

    def step(self) -> None:
        """Let something happen."""
        self.at_s += STEP_S
        self.counts["steps"] += 1
        chance = self.rng.random()
        if chance < 0.5:
            self.walk(self.rng.choice(self.people), self.rng.randrange(len(self.peers)))
        elif chance < 0.985:
            self.deliver()
        elif chance < 0.99:
            self.restart(self.rng.randrange(len(self.peers)))
        elif chance < 0.995:
            groups = self.rng.choice((1, 2, 3, len(self.peers)))
            for peer in self.peers:
                peer.group = self.rng.randrange(groups)
            self.tell_again()
        else:
            self.settle()

    def walk(self, person: str, at: int) -> None:
        """Somebody goes in or out at a gate; who is refused stays where they are."""
        peer = self.peers[at]
        leaving = person in self.entered
        if not leaving and not self.admits(peer, self.shares[at]):
            self.counts["refused"] += 1
            return
        if not leaving and self.rng.random() < 0.05:
            self.counts["not taken"] += 1
            return
        move = peer.presence.go(person, OUTSIDE if leaving else AREA, COMPANY, peer.now(self.at_s))
        self.heard[at].add(move)
        if leaving:
            del self.entered[person]
        else:
            self.entered[person] = move
            self.check(at)
        self.tell(at, [move])

    def admits(self, peer: Peer, share: int) -> bool:
        if self.mode == "share":
            return peer.presence.net[COMPANY] < share
        return peer.presence.inside() < self.limit

    def check(self, at: int) -> None:
        """What is promised after an entry."""
        excess = len(self.entered) - self.limit
        self.worst_excess = max(self.worst_excess, excess)
        unheard = 0 if self.mode == "share" else sum(move not in self.heard[at] for move in self.entered.values())
        self.counts["over the limit"] += excess > unheard
        self.counts["entries"] += 1

    def tell(self, at: int, moves: Sequence[Move]) -> None:
        """Send moves to whoever can be reached now; some get lost and some arrive twice."""
        for number, peer in enumerate(self.peers):
            if number != at and peer.group == self.peers[at].group:
                for move in moves:
                    self.wire += [(number, move)] * self.rng.choices((0, 1, 2), (1, 8, 1))[0]

    def tell_again(self) -> None:
        """Each gate's retained digest, which whoever is connected anew receives whole."""
        for number, peer in enumerate(self.peers):
            for other, listener in enumerate(self.peers):
                if other != number and listener.group == peer.group:
                    self.wire += [(other, move) for move in peer.presence.made_here()]

    def deliver(self) -> None:
        """Some messages arrive, in any order."""
        for _ in range(min(len(self.wire), self.rng.randint(1, 4 * len(self.peers)))):
            place = self.rng.randrange(len(self.wire))
            self.wire[place], self.wire[-1] = self.wire[-1], self.wire[place]
            self.hear(*self.wire.pop())

    def hear(self, number: int, move: Move) -> None:
        peer = self.peers[number]
        if not peer.presence.is_ahead(move.stamp, peer.now(self.at_s)):
            peer.presence.merge(move, peer.now(self.at_s).mono)
            self.heard[number].add(move)

    def restart(self, number: int) -> None:
        """A gate begins again with what its disk holds, its monotonic clock at nought."""
        peer = self.peers[number]
        kept = list(peer.presence.everybody())
        self.rng.shuffle(kept)
        peer.presence, peer.began_s = Presence(peer.presence.gate, kept, peer.presence.net), self.at_s
        self.counts["restarts"] += 1

    def settle(self) -> None:
        """The network heals and everything arrives: all agree, and know the truth where clocks are right."""
        for peer in self.peers:
            peer.group = 0
        self.tell_again()
        self.rng.shuffle(self.wire)
        for number, move in self.wire:
            self.hear(number, move)
        self.wire.clear()
        views = [{move.holder: move for move in peer.presence.everybody()} for peer in self.peers]
        self.counts["gates that disagree"] += sum(view != views[0] for view in views)
        if self.right_clocks:
            inside = {holder for holder, move in views[0].items() if move.place != OUTSIDE}
            self.counts["gates that are wrong"] += inside != set(self.entered)
            self.counts["gates that are wrong"] += sum(
                peer.presence.inside() != len(self.entered) for peer in self.peers)
        self.heard = [{*self.entered.values()} for _ in self.peers]
        self.counts["times settled"] += 1


def prove(seed: int, steps: int, gates_max: int) -> tuple[Counter[str], int]:
    """Site after site until so many steps are done; the counts, and the worst excess where limits are shared."""
    counts: Counter[str] = Counter(dict.fromkeys(FAULTS, 0))
    worst, run = 0, 0
    while counts["steps"] < steps:
        rng = Random(f"{seed}/{run}")
        mode, right = (("shared", True), ("share", True), ("share", False))[run % 3]
        site = Site(rng, rng.randint(2, gates_max), mode, right)
        for _ in range(min(5000, steps - counts["steps"])):
            site.step()
        site.settle()
        counts.update(site.counts)
        worst = max(worst, site.worst_excess if mode == "shared" else 0)
        run += 1
    counts["sites"] = run
    return counts, worst


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove, and say; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--gates", type=int, default=50, help="of each site, at most")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    counts, worst = prove(chosen.seed, chosen.steps, chosen.gates)
    for name, count in counts.items():
        print(f"{name}: {count}")
    print(f"worst excess over a shared limit: {worst}")
    return any(counts[name] for name in FAULTS)


if __name__ == "__main__":
    sys.exit(main())
