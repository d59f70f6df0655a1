"""What a decision costs with health packs, against what no gate can do without: one look-up and one signature check."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import cycle
from zoneinfo import ZoneInfo

import cbor2

from bench.figure import Figure, Setup, cost, interleaved, p50, p99
from bench.people import AREA, Issuer, holder, roster, token_key_file
from gate import decoder
from gate.admission import admit
from gate.cose import parse_sign1
from gate.documents.roster_file import RosterFile
from gate.model import Direction, Now, Scan
from gate.pack_files import read_pack
from gate.policy.health.pack import HealthPolicy, pack_from_json
from gate.token_key import read_token_key
from gate.view import DocumentSet, View

MILLION, THOUSAND = 1_000_000, 1_000
PASSES = 1_000
AT = datetime.fromisoformat("2021-09-29T06:55:00+07:00")
"""Both packs are in force: who works in the office has had a first dose, and has declared in the morning."""
PACKS = ("hcm-3328", "declared-today")
FACTS = {"health": {
    "v": [{"dn": 1, "sd": 2, "dt": "2021-08-04"}, {"dn": 2, "sd": 2, "dt": "2021-09-01"}],
    "t": [{"tr": "260415000", "sc": "2021-09-28T06:00:00+07:00"}],
    "declaration": {"at": "2021-09-29T06:00:00+07:00"}, "contact": {"at": "2021-08-01"},
}}
LIMIT, GROWTH_LIMIT = 1.5, 1.3


def run(setup: Setup) -> Iterator[Figure]:
    """Decisions by a million people's roster with and without packs, by a thousand's, and the bare work."""
    rounds, big = setup.runs(10_000, 50), setup.runs(MILLION, THOUSAND)
    issuer, now = Issuer(), Now(AT, 0.0)
    people = {size: RosterFile(roster(setup, size, FACTS, "roster-health"), read_token_key(token_key_file(setup)))
              for size in (big, THOUSAND)}
    bare = View(AREA, ZoneInfo("Asia/Ho_Chi_Minh"), DocumentSet(
        keyring=issuer.keyring, roster=people[big], packs={name: pack_from_json(read_pack(name)) for name in PACKS}))
    million = replace(bare, health=HealthPolicy(PACKS))
    thousand = replace(million, documents=replace(bare.documents, roster=people[THOUSAND]))
    taken = interleaved({
        "bare work": _bare_work(issuer, people[big], big), "no pack": decisions(issuer, bare, now, big),
        "million": decisions(issuer, million, now, big), "thousand": decisions(issuer, thousand, now, THOUSAND),
    }, rounds)
    for word, of in (("p50", p50), ("p99", p99)):
        floor, none, with_packs, few = (1e6 * of(taken[name]) for name in taken)
        yield cost(f"decision with two health packs, a million people, {word}", with_packs, floor, unit="us",
                   runs=rounds, limit=LIMIT if word == "p99" else None)
        yield cost(f"decision with two health packs, against none, {word}", with_packs, none, unit="us", runs=rounds)
        yield cost(f"decision with two health packs, a million people against a thousand, {word}", with_packs, few,
                   unit="us", runs=rounds, limit=GROWTH_LIMIT)
    for file in people.values():
        file.close()


def _numbers(people: int) -> list[int]:
    return random.sample(range(people), min(PASSES, people))


def decisions(issuer: Issuer, view: View, now: Now, people: int) -> Callable[[], object]:
    """A decision about the next of many people."""
    scans = [Scan("in", Direction.ENTRY, issuer.issue(number, AT), 0.0) for number in _numbers(people)]
    assert all(admit(scan, view, now).granted for scan in scans)
    turn = cycle(scans)
    return lambda: admit(next(turn), view, now)


def _bare_work(issuer: Issuer, listed: RosterFile, people: int) -> Callable[[], object]:
    """The signature of the next of many people's passes, and their row of the roster."""
    key = issuer.private_key.public_key()
    passes = []
    for number in _numbers(people):
        message = parse_sign1(decoder.read(issuer.issue(number, AT)).signed or b"")
        signed = cbor2.dumps(["Signature1", message.protected, b"", message.payload])
        key.verify(message.signature, signed)
        passes.append((message.signature, signed, holder(number)))
    turn = cycle(passes)

    def work() -> object:
        signature, signed, name = next(turn)
        key.verify(signature, signed)
        return listed.holder(name)

    return work
