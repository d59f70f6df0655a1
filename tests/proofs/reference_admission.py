"""Admission said again, slowly and plainly, and compared with the real one on drawn people, rosters and moments.

    python -m tests.proofs.reference_admission --cases 1000000 [--seed 1]

Written from DESIGN.md (laws 2, 3 and 10), docs/code-formats.md, docs/writing-a-rule.md and docs/health-packs.md, not
from the code. What a code is and proves is known here because this module made it: nothing of the decoder or of trust
is used to judge. The health packs are said again in `tests.proofs.reference_health`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stdnum import verhoeff

from gate.admission import admit
from gate.decoder import gp1
from gate.model import Claims, Direction, Mode, Now, Proof, Reason, RosterEntry, Scan
from gate.pack_files import read_pack
from gate.policy.attempts import Attempts, Tally
from gate.policy.health.moment import Headcount
from gate.policy.health.pack import pack_from_json
from gate.policy.pairs import Pairs
from gate.policy.schedule import schedules_from_json
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View
from tests.proofs.reference_health import PACKS, ROLES, Someone, draw_policy, draw_record, refused_by

NOON = datetime(2021, 9, 30, 5, 0, tzinfo=UTC)
"""The last day of two packs, and the day before another begins."""
COMPILED = {name: pack_from_json(read_pack(name)) for name in PACKS}
ZONES = (ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin"))
AREAS = ("xuong-a", "kho", "*")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = ("00:00", "05:59", "06:00", "08:30", "11:59", "12:00", "13:00", "18:00", "22:00", "24:00")
PEOPLE = 12
CODES = 400
WORLD_CASES = 500
"""Cases for each drawn set of codes, documents and settings."""


class Paper(NamedTuple):
    """What vouches for a person: when, for which areas and in which roles."""

    start: datetime | None
    end: datetime | None
    areas: frozenset[str]
    roles: frozenset[str] = frozenset()


class Answer(NamedTuple):
    """What has to come of a scan; the rule is only said of a health rule."""

    reason: str
    rule: str = ""
    observed: tuple[str, ...] = ()


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
    """Whether it says a name and a birth date, so that a certificate may be shown beside it."""


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


# --- the reference -------------------------------------------------------------------------------------


def reference(code: Code, view: View, plain: Plain, scan: Scan, now: Now) -> Answer:
    """How this scan is answered."""
    if scan.direction is Direction.EXIT:
        return Answer("GRANTED" if code.readable else code.flaw)
    tally = view.attempts.tallies.get(scan.reader)
    if tally and now.mono < tally.locked_until_mono:
        return Answer("LOCKOUT")
    answer = entry(code, view, plain, now)
    guess = answer.reason in ("UNKNOWN_CREDENTIAL", "MALFORMED", "UNKNOWN_FORMAT")
    wrong = tally.wrong if tally else 0
    if guess and scan.reader in view.attempts.guessable and wrong + 1 >= view.attempts.attempts_max:
        return Answer("MAX_ATTEMPTS")
    return answer


def entry(code: Code, view: View, plain: Plain, now: Now) -> Answer:
    """The answer to somebody who wants to enter where no lockout is."""
    refusal = before_health(code, view, plain, now)
    if refusal:
        return Answer(refusal)
    observed = []
    for rule, watched in health_refusals(code, view, plain, now):
        if watched:
            observed.append(rule)
        elif code.named and view.pairs.certificates != "ignored" and rule != "declared-today.1":
            return Answer("NEEDS_SECOND_CODE")  # a certificate may mend it
        else:
            return Answer("HEALTH_RULE", rule)
    return Answer("GRANTED", observed=tuple(observed))


def health_refusals(code: Code, view: View, plain: Plain, now: Now) -> list[tuple[str, bool]]:
    """Every health rule that refuses, enforced ones first, and whether it is only observed."""
    holder, local = holder_of(code, plain), now.utc.astimezone(view.zone)
    papers = [paper for paper in (code.paper, plain.people.get(holder)) if paper]
    headcount = (view.headcount.present, view.headcount.staff) if view.headcount else None
    who = Someone(plain.health_of.get(holder, {}), frozenset().union(*(paper.roles for paper in papers)), headcount)
    policy, refusals = view.health, []
    for pack in policy.packs:
        if pack in plain.packs or pack == "open":
            refusals += [(rule, policy.observe_all or rule in policy.observe)
                         for rule in refused_by(pack, who, local, now.trusted)]
        else:
            refusals.append((f"{pack}.missing", policy.observe_all))
    return sorted(refusals, key=lambda refusal: refusal[1])


def holder_of(code: Code, plain: Plain) -> str:
    """Whom a code names in the roster, if anybody."""
    if code.paper:
        return code.subject if code.subject in plain.people else ""
    return next((plain.holder_of[name] for name in code.identifiers if name in plain.holder_of), "")


def before_health(code: Code, view: View, plain: Plain, now: Now) -> str:
    """Why somebody is refused whatever their health, or nothing."""
    if code.flaw:
        return code.flaw
    holder, certificates = holder_of(code, plain), view.pairs.certificates
    proof = Proof.SIGNED if code.paper else Proof.LISTED
    if not holder and (code.paper is None or view.signed_must_be_listed):
        mendable = code.named and certificates != "ignored" and not view.signed_must_be_listed
        return "NEEDS_SECOND_CODE" if mendable else "UNKNOWN_CREDENTIAL"
    if proof not in view.accept:
        return "PROOF_TOO_WEAK"
    if view.mode is Mode.LOCKDOWN:
        return "LOCKDOWN"
    if plain.revoked & {holder or code.subject, f"pass {code.pass_id}", f"key {code.key}"}:
        return "REVOKED"
    if not now.trusted and not view.continue_on_untrusted_clock:
        return "CLOCK_UNTRUSTED"
    age_counts = now.trusted and view.roster_max_age and not view.continue_on_stale_roster
    if age_counts and now.utc > plain.published + view.roster_max_age:
        return "ROSTER_STALE"
    papers = [paper for paper in (code.paper, plain.people.get(holder)) if paper]
    if now.trusted:
        for paper in papers:
            if paper.end and paper.end <= now.utc:
                return "EXPIRED"
            if paper.start and paper.start > now.utc:
                return "NOT_YET_ACTIVE"
    lists = [paper.areas for paper in papers if paper.areas]
    if not lists or not all({view.area, "*"} & areas for areas in lists):
        return "NO_ACCESS_RIGHTS"
    schedule = plain.schedule_of.get(holder, "")
    if now.trusted and schedule and not is_open(plain, schedule, now.utc.astimezone(view.zone).replace(tzinfo=None)):
        return "OUT_OF_TIME_RANGE"
    return "NEEDS_SECOND_CODE" if certificates == "required" and not code.paper else ""


def is_open(plain: Plain, schedule: str, local: datetime) -> bool:
    """Lay out every span of today and yesterday on the calendar, and look whether one covers the moment."""
    for day in (local.date(), local.date() - timedelta(days=1)):
        name = "holiday" if day in plain.holidays else DAYS[day.weekday()]
        for first, last in plain.hours.get(schedule, {}).get(name, []):
            start, end = moment(day, first), moment(day, last)
            if end <= start:
                end += timedelta(days=1)
            if start <= local < end:
                return True
    return False


def moment(day: date, hour: str) -> datetime:
    """A day and `HH:MM`; 24:00 is midnight, whose span therefore ends on the next day."""
    hours, minutes = hour.split(":")
    return datetime.combine(day, clock_time(int(hours) % 24, int(minutes)))


# --- what is drawn -------------------------------------------------------------------------------------


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
        return frozenset(self.rng.sample(AREAS, self.rng.choice((0, 1, 1, 2))))

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
            return Code(f"{digits}{(check + 1) % 10}".encode(), "MALFORMED", readable=False)
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
        withdrawn = frozenset(f"key-{n}" for n in range(3) if rng.random() < 0.1)
        published = NOON - timedelta(seconds=rng.choice((0, 3600, 86_400, 86_399, 86_401)))
        revoked = {*holders, *(f"pass {each}" for each in passes), *(f"key {each}" for each in withdrawn)}
        plain = Plain(people, schedule_of, holder_of, schedules, frozenset(holidays), frozenset(revoked), published,
                      health, packs)
        entries = {name: RosterEntry(name, paper.areas, paper.roles, schedule_of[name], paper.start, paper.end,
                                     facts={"health": health[name]}) for name, paper in people.items()}
        keyring = Keyring(Key(b"key-%d" % n, key.public_key(), "khu-a", "pass", "", *life)
                          for n, (key, life) in enumerate(zip(self.keys, self.lives, strict=True)))
        file = {"schema": "gate.schedules/1", "schedules": schedules, "holidays": holidays}
        return plain, DocumentSet(
            keyring=keyring, roster=DictRoster(entries, holder_of), published_at=published,
            schedules=schedules_from_json(msgspec.json.encode(file)), packs={name: COMPILED[name] for name in packs},
            revocations=Revocations(passes, holders, frozenset(key_id(each.encode()) for each in withdrawn)))

    def view(self) -> View:
        """One gate's settings and state."""
        rng = self.rng
        accept = rng.choices(((Proof.SIGNED, Proof.LISTED), (Proof.SIGNED,), (Proof.LISTED,), ()), (12, 3, 3, 1))[0]
        tallies = {"keys": Tally(rng.randrange(5), 0, rng.choice((float("-inf"), 999.0, 1000.0, 1001.0)))}
        return View(
            rng.choice(AREAS[:2]), rng.choice(ZONES), self.documents,
            rng.choice((Mode.NORMAL, Mode.NORMAL, Mode.NORMAL, Mode.LOCKDOWN, Mode.FREE)),
            Attempts(frozenset({"keys"}), rng.randint(1, 5), tallies=tallies if rng.random() < 0.7 else {}),
            frozenset(accept), rng.random() < 0.5, rng.choice((None, timedelta(days=1))),
            rng.random() < 0.5, rng.random() < 0.5, health=draw_policy(rng),
            pairs=Pairs(rng.choices(("ignored", "accepted", "required"), (4, 1, 1))[0]),
            headcount=rng.choice((None, Headcount(rng.randrange(12), 20))))

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


# --- comparing -----------------------------------------------------------------------------------------


def compare(seed: int, cases: int) -> Counter[str]:
    """How often each reason was given, by both alike.

    Raises:
        AssertionError: with everything that is needed to see the first case in which they differ.
    """
    counts: Counter[str] = Counter()
    for world in range(-(-cases // WORLD_CASES)):
        drawn = Drawn(Random(f"{seed}/{world}"))
        for case in range(min(WORLD_CASES, cases - world * WORLD_CASES)):
            code, view = drawn.rng.choice(drawn.codes), drawn.view()
            scan, now = drawn.scan(code)
            decision = admit(scan, view, now)
            expected = reference(code, view, drawn.plain, scan, now)
            rule = decision.rule if decision.reason is Reason.HEALTH_RULE else ""
            said = Answer(decision.reason.name, rule, decision.observed)
            assert said == expected and decision.granted == (expected.reason == "GRANTED"), (
                f"seed {seed}, world {world}, case {case}: admission says {said}, the reference "
                f"{expected}\n{code}\n{scan}\n{now}\n{decision.steps}\n{view}")
            counts[f"{scan.direction.value} {expected.reason} {expected.rule}".rstrip()] += 1
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and say how many of each there were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    counts = compare(chosen.seed, chosen.cases)
    print(f"{counts.total()} cases agree, {time.monotonic() - began:.0f} s")
    for name, number in sorted(counts.items()):
        print(f"  {name}: {number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
