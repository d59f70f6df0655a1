"""A site that is drawn: its codes, people, documents and settings, and the plain truth about them.

What `tests.proofs.reference_admission` judges. What a code is and proves is known here because this module made it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stdnum import verhoeff

from gate.decoder import gp1
from gate.model import Claims, Decision, Direction, Mode, Move, Now, Proof, Reason, RosterEntry, Scan, Stamp
from gate.pack_files import read_pack
from gate.policy.ages import PastAge
from gate.policy.attempts import Attempts, Tally
from gate.policy.crossing import Crossing
from gate.policy.health.pack import pack_from_json
from gate.policy.pairs import Pairs
from gate.policy.permits import Permit, Permits
from gate.policy.quotas import Quotas
from gate.policy.schedule import schedules_from_json
from gate.policy.together import TwoPersons
from gate.presence import OUTSIDE, Presence
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View
from tests.proofs.reference_health import PACKS, ROLES, draw_policy, draw_record

NOON = datetime(2021, 9, 30, 5, 0, tzinfo=UTC)
"""The last day of two packs, and the day before another begins."""
COMPILED = {name: pack_from_json(read_pack(name)) for name in PACKS}
ZONES = (ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin"))
AREAS = ("xuong-a", "kho", "*")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = ("00:00", "05:59", "06:00", "08:30", "11:59", "12:00", "13:00", "18:00", "22:00", "24:00")
PEOPLE, STAFF = 12, 20
COMPANIES = ("cty-a", "cty-b")
TIMED_S, OCCUPANCY_MAX, QUOTA = 3600.0, 6, 7
CROWDS = 6
"""So many different crowds are on a site, one for each case."""
CODES = 400


class Paper(NamedTuple):
    """What vouches for a person: when, for which areas and in which roles."""

    start: datetime | None
    end: datetime | None
    areas: frozenset[str]
    roles: frozenset[str] = frozenset()


class Code(NamedTuple):
    """A payload and the truth about it: `flaw` is why it proves or names nothing, if so."""

    payload: bytes
    flaw: str = ""
    readable: bool = True
    identifiers: tuple[str, ...] = ()
    subject: str = ""
    pass_id: str = ""
    key: str = ""
    paper: Paper | None = None
    named: bool = False
    under_duress: tuple[str, ...] = ()
    """What it means where a last digit that is one too high means something."""
    """Whether it says a name and a birth date, so that a certificate may be shown beside it."""


class Crowd(NamedTuple):
    """Where people went last, and when; and how many strangers are on their way in."""

    last: dict[str, tuple[str, datetime]]
    strangers: int

    def inside(self, holder: str, area: str = "") -> int:
        """How many are in an area, or on the site, besides somebody."""
        return self.strangers + sum(
            place == area if area else bool(place) for name, (place, _) in self.last.items() if name != holder)


@dataclass(frozen=True)
class Plain:
    """The same site as the real view, in plain dictionaries."""

    people: dict[str, Paper]
    schedule_of: dict[str, str]
    holder_of: dict[str, str]
    hours: dict[str, dict[str, list[tuple[str, str]]]]
    holidays: frozenset[date]
    revoked: frozenset[str]
    published: datetime
    health_of: dict[str, dict[str, Any]]
    packs: frozenset[str]
    quota: int | None
    crowd_of: dict[Presence, Crowd]
    company_of: dict[str, str]
    permits: dict[str, tuple[date | None, date | None, bool]] | None
    """Of each business the first day, the last day, and whether it is suspended; None: nobody needs a permit."""
    permit_required: bool
    visit_of: dict[str, tuple[str, int | None]]
    """Whom somebody visits, and how often they may enter."""


class Drawn:
    """A site: its keys, codes, documents and settings, all from one random source."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.keys = [Ed25519PrivateKey.from_private_bytes(rng.randbytes(32)) for _ in range(3)]
        self.lives = [(self.bound(), self.bound()) for _ in self.keys]
        self.codes = [self.code(n) for n in range(CODES)]
        self.plain, self.documents = self.draw_documents()

    def bound(self) -> datetime | None:
        """A bound of validity: none, far, near, or exactly the moment that scans like to come at."""
        near = self.rng.choice((0, 0, 1, -1, 60, -3600, 86_400, -86_400, 10**7, -(10**7)))
        return self.rng.choice((None, NOON + timedelta(seconds=near)))

    def roles(self) -> frozenset[str]:
        return frozenset(self.rng.sample(ROLES, self.rng.choice((0, 0, 1, 2))))

    def areas(self) -> frozenset[str]:
        return frozenset(self.rng.sample(AREAS, self.rng.choice((0, 1, 2, 2, 3))))

    def code(self, n: int) -> Code:
        """One code of a random form."""
        return self.rng.choice((self.card, self.card, self.personal_qr, self.number, self.gate_pass, self.gate_pass,
                                self.gate_pass, self.other))(n)

    def card(self, n: int) -> Code:
        number = f"001090{n:06d}"
        old = f"{n:09d}" if self.rng.random() < 0.5 else ""
        broken = self.rng.random() < 0.1
        text = f"{number}|{old}|NGUYEN VAN A|{'31021990' if broken else '01011990'}|Nam|Ha Noi|15102021"
        if broken:
            return Code(text.encode(), "MALFORMED", readable=False)
        return Code(text.encode(), identifiers=(f"cccd:{number}", *((f"cmnd:{old}",) if old else ())), named=True)

    def personal_qr(self, n: int) -> Code:
        masked = self.rng.random() < 0.5
        number = "******029317" if masked else f"002093{n:06d}"
        text = f"{number}|NGUYEN VAN A|1987-01-18|0|16297938858617{n:04d}|<1<00<0123232422"
        return Code(text.encode(), identifiers=(
            f"qid:16297938858617{n:04d}", *(() if masked else (f"cccd:{number}",))), named=True)

    def number(self, n: int) -> Code:
        digits = f"{7_000_000 + n}"
        check = int(verhoeff.calc_check_digit(digits))
        if self.rng.random() < 0.2:
            return Code(f"{digits}{(check + 1) % 10}".encode(), "MALFORMED", readable=False,
                        under_duress=(f"number:{digits}{check}",))
        return Code(f"{digits}{check}".encode(), identifiers=(f"number:{digits}{check}",))

    def gate_pass(self, n: int) -> Code:
        """A pass: genuine, by a key that nobody has, forged, or in another issuer's name."""
        rng, index = self.rng, self.rng.randrange(3)
        kind = rng.choices(("genuine", "unknown key", "forged", "other issuer"), (6, 1, 1, 1))[0]
        start, end = self.bound(), NOON + timedelta(seconds=rng.choice((0, 1, -1, 3600, 10**7)))
        claims = Claims(
            "khu-b" if kind == "other issuer" else "khu-a", f"p{rng.randrange(PEOPLE + 3)}",
            key_id(b"strange" if kind == "unknown key" else b"key-%d" % index), f"{n:016x}", start, end, self.areas(),
            self.roles())
        claims = replace(claims, areas=claims.areas - {"*"})  # a pass names areas, and none is called *
        signer = self.keys[(index + 1) % 3] if kind == "forged" else self.keys[index]
        payload = gp1.issue_pass(claims, signer).encode()
        flaw = {"genuine": "", "unknown key": "UNKNOWN_KEY"}.get(kind, "BAD_SIGNATURE")
        key_start, key_end = self.lives[index]
        starts, ends = [at for at in (start, key_start) if at], [at for at in (end, key_end) if at]
        paper = Paper(max(starts, default=None), min(ends, default=None), claims.areas, claims.roles)
        return Code(payload, flaw, True, (), claims.subject, claims.pass_id, f"key-{index}", paper)

    def other(self, n: int) -> Code:
        return self.rng.choice((
            Code(b"https://example.com/%d" % n, "WRONG_CODE", readable=False),
            Code(b"hello %d" % n, "UNKNOWN_FORMAT", readable=False),
            Code(b"", "MALFORMED", readable=False),
            Code(b"x" * 5000, "MALFORMED", readable=False),
            Code(b"GP1:not base45", "MALFORMED", readable=False),
        ))

    def draw_documents(self) -> tuple[Plain, DocumentSet]:
        rng = self.rng
        schedules = {name: {day: [(rng.choice(HOURS[:-1]), rng.choice(HOURS)) for _ in range(rng.randint(0, 2))]
                            for day in (*DAYS, "holiday") if rng.random() < 0.8} for name in ("ca-ngay", "ca-dem")}
        holidays = [NOON.date() + timedelta(days=n) for n in (-1, 0, 1) if rng.random() < 0.2]
        people = {f"p{n}": Paper(self.bound(), self.bound(), self.areas(), self.roles()) for n in range(PEOPLE)}
        health = {name: draw_record(rng, NOON + timedelta(days=rng.choice((0, 0, 1, -5, 5)))) for name in people}
        packs = frozenset(name for name in PACKS if rng.random() < 0.95)
        schedule_of = {name: rng.choice(("", "", "ca-ngay", "ca-dem", "unknown")) for name in people}
        names = [name for code in self.codes for name in code.identifiers]
        holder_of = {name: rng.choice(list(people)) for name in names if rng.random() < 0.7}
        passes = frozenset(code.pass_id for code in self.codes if code.pass_id and rng.random() < 0.05)
        holders = frozenset(name for name in (*people, "p13") if rng.random() < 0.1)
        withdrawn = frozenset(f"key-{n}" for n in range(3) if rng.random() < 0.05)
        published = NOON - timedelta(seconds=rng.choice((0, 3600, 86_400, 86_399, 86_401)))
        revoked = {*holders, *(f"pass {each}" for each in passes), *(f"key {each}" for each in withdrawn)}
        crowds = [self.crowd() for _ in range(CROWDS)]
        company_of = {name: rng.choice(("", *COMPANIES, "cty-c")) for name in people}
        permits, required = self.draw_permits(), rng.random() < 0.3
        visit_of = {name: (rng.choice((*[""] * 6, "p1", "p13")), rng.choice((*[None] * 5, 1, 2))) for name in people}
        plain = Plain(people, schedule_of, holder_of, schedules, frozenset(holidays), frozenset(revoked), published,
                      health, packs, rng.choice((None, QUOTA)), {present(crowd): crowd for crowd in crowds},
                      company_of, permits, required, visit_of)
        entries = {name: RosterEntry(
            name, paper.areas, paper.roles, schedule_of[name], paper.start, paper.end, company_of[name],
            {"health": health[name], "visit": visit_fact(*visit_of[name])}) for name, paper in people.items()}
        keyring = Keyring(Key(b"key-%d" % n, key.public_key(), "khu-a", "pass", "", *life)
                          for n, (key, life) in enumerate(zip(self.keys, self.lives, strict=True)))
        file = {"schema": "gate.schedules/1", "schedules": schedules, "holidays": holidays}
        return plain, DocumentSet(
            keyring=keyring, roster=DictRoster(entries, holder_of), published_at=published,
            schedules=schedules_from_json(msgspec.json.encode(file)), packs={name: COMPILED[name] for name in packs},
            quotas=Quotas(plain.quota, STAFF),
            permits=None if permits is None else Permits(
                required, {name: Permit(*each) for name, each in permits.items()}),
            revocations=Revocations(passes, holders, frozenset(key_id(each.encode()) for each in withdrawn)))

    def draw_permits(self) -> dict[str, tuple[date | None, date | None, bool]] | None:
        """Permits that begin or end about today, some suspended; or no such document."""
        rng = self.rng
        if rng.random() < 0.6:
            return None
        return {name: (rng.choice((None, self.day(-5, 1))), rng.choice((None, self.day(-1, 5))), rng.random() < 0.2)
                for name in COMPANIES}

    def day(self, earliest: int, latest: int) -> date:
        return NOON.date() + timedelta(days=self.rng.randint(earliest, latest))

    def view(self) -> View:
        """One gate's settings and state."""
        rng = self.rng
        accept = rng.choices(((Proof.SIGNED, Proof.LISTED), (Proof.SIGNED,), (Proof.LISTED,), ()), (20, 2, 2, 1))[0]
        tallies = {"keys": Tally(rng.randrange(5), 0, rng.choice((float("-inf"), 999.0, 1000.0, 1001.0)))}
        return View(
            rng.choice(AREAS[:2]), rng.choice(ZONES), self.documents,
            rng.choices((Mode.NORMAL, Mode.FREE, Mode.LOCKDOWN), (12, 2, 1))[0],
            Attempts(frozenset({"keys"}), rng.randint(1, 5), tallies=tallies if rng.random() < 0.7 else {}),
            frozenset(accept), rng.random() < 0.5, rng.choice((None, timedelta(days=1))),
            rng.random() < 0.5, rng.random() < 0.5, health=draw_policy(rng),
            past_age=rng.choice(((), (), (), (PastAge("issuers", timedelta(days=1), rng.random() < 0.7),))),
            pairs=Pairs(rng.choices(("ignored", "accepted", "required"), (4, 1, 1))[0]),
            duress_codes=rng.random() < 0.5,
            proofs={rule: Proof.SIGNED for rule in ("area", "health", "quota") if rng.random() < 0.07},
            roles=frozenset(rng.sample(ROLES, rng.choice((0, 0, 0, 0, 2, 3)))), host_inside=rng.random() < 0.5,
            two_persons=self.two_persons(), uses={f"p{n}": rng.randrange(3) for n in range(PEOPLE)},
            crossing=Crossing(
                anti_passback=rng.choice(("off", "off", "soft", "hard", "timed")), timed_s=TIMED_S,
                forgive_unknown=rng.random() < 0.7, occupancy_max=rng.choice((None, None, OCCUPANCY_MAX)),
                quotas=rng.choice(("off", "shared"))),
            presence=rng.choice(tuple(self.plain.crowd_of)))

    def two_persons(self) -> TwoPersons:
        """Mostly one is enough; else nobody waits, or somebody does, still or no longer."""
        rng = self.rng
        first = Decision(True, Reason.GRANTED, Direction.ENTRY, "in", holder=f"p{rng.randrange(3)}")
        return TwoPersons(rng.choice((*[None] * 5, 10.0)), rng.choice((None, first)), rng.choice((1000.0, 1000.5)))

    def crowd(self) -> Crowd:
        """Some are inside, some have left, of some nothing is known."""
        rng = self.rng
        ages_s = (0.0, 60.0, TIMED_S - 1, TIMED_S, TIMED_S + 1, 86_400.0)
        return Crowd({f"p{n}": (rng.choice((*AREAS[:2], OUTSIDE)), NOON - timedelta(seconds=rng.choice(ages_s)))
                      for n in range(PEOPLE) if rng.random() < 0.6}, rng.randrange(7))

    def scan(self, code: Code) -> tuple[Scan, Now]:
        """Somebody holds it up somewhere, at some moment near noon."""
        rng = self.rng
        reader = rng.choice(("in", "in", "keys", "out"))
        off_s = rng.choice((0, 0, 0, 1, -1, rng.uniform(-86_400, 86_400), rng.uniform(-10**6, 10**6)))
        now = Now(NOON + timedelta(seconds=off_s), 1000.0, rng.random() < 0.8)
        return Scan(reader, Direction.EXIT if reader == "out" else Direction.ENTRY, code.payload, now.mono), now


@dataclass(frozen=True)
class DictRoster:
    """The roster that the real admission asks."""

    entries: dict[str, RosterEntry]
    holder_of: dict[str, str]

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return next((self.entries[self.holder_of[name]] for name in identifiers if name in self.holder_of), None)

    def holder(self, holder: str) -> RosterEntry | None:
        return self.entries.get(holder)


def visit_fact(host: str, uses: int | None) -> dict[str, Any]:
    """A visit as a row of the roster says it."""
    return {**({"host": host} if host else {}), **({} if uses is None else {"uses": uses})}


def present(crowd: Crowd) -> Presence:
    """A crowd as a gate keeps it."""
    presence = Presence("cong-1", (
        Move(holder=holder, place=place, company="", stamp=Stamp(int(at.timestamp() * 1000), 0, "cong-1"))
        for holder, (place, at) in crowd.last.items()))
    presence.expected.update((f"stranger-{n}", "") for n in range(crowd.strangers))
    return presence
