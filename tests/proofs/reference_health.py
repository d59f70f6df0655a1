"""The shipped health packs said again, on plain calendar days, and compared on drawn people and moments.

    python -m tests.proofs.reference_health --cases 1000000 [--seed 1]

Written from docs/health-packs.md and the decisions that it names; nothing of CertLogic or of the packs is used
to judge.
"""

from __future__ import annotations

import argparse
import sys
import time as clock
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gate.pack_files import read_pack
from gate.policy.health.moment import Circumstances, Headcount
from gate.policy.health.pack import HealthPolicy, pack_from_json
from gate.policy.health.verdict import refusals

NEGATIVE, POSITIVE = "260415000", "260373001"
ROLES = ("production", "outsiders", "supplier-driver", "partner", "kho")


class Someone(NamedTuple):
    """Who asks: what is known of their health, their roles, how many are inside and belong there (if known)."""

    record: dict[str, Any]
    roles: frozenset[str]
    headcount: tuple[int, int] | None


def refused_by(pack: str, who: Someone, local: datetime, trusted: bool) -> list[str]:
    """The rules of a shipped pack that refuse; `local` is aware, in the site's time zone."""
    if not trusted:
        return ["declared-today.1"] if pack == "declared-today" and who.record.get("isolation") else []
    first, last, check = PACKS[pack]
    if not first <= local.date() <= last:
        return []
    return [f"{pack}.{number}" for number in check(who, local)]


def hcm_3328(who: Someone, local: datetime) -> list[int]:
    refused = []
    if "production" in who.roles and not (limited(who, local) and negative_within(who, local, timedelta(hours=72))):
        refused.append(1)
    if "outsiders" in who.roles and not green(who, local):
        refused.append(2)
    if "supplier-driver" in who.roles and not (
            green(who, local) and negative_within(who, local, timedelta(hours=72))):
        refused.append(3)
    if not who.roles & {"production", "outsiders", "supplier-driver"} and not limited(who, local):
        refused.append(4)
    return refused


def epz(who: Someone, local: datetime) -> list[int]:
    refused = []
    if "partner" in who.roles:
        if not green(who, local) and not negative_within(who, local, timedelta(hours=72)):
            refused.append(2)
    else:
        if not green(who, local):
            refused.append(1)
        if not any((local.date() - taken.astimezone(local.tzinfo).date()).days <= 5 for taken in negatives(who, local)):
            refused.append(3)
    if who.headcount is None or who.headcount[0] + 1 > who.headcount[1] / 2:
        refused.append(4)
    return refused


def hcm_october(who: Someone, local: datetime) -> list[int]:
    recovered = any(0 <= days(entry["df"], local) < 180 for entry in who.record.get("r", []))
    return [] if recovered or first_dose(who, local) else [1]


def byt_8228(who: Someone, local: datetime) -> list[int]:
    today = local.date()
    doses = [entry for entry in who.record.get("v", []) if entry.get("sd") and entry["dn"] >= entry["sd"]]
    if any(days(dose["dt"], local) >= 14 and term_ends(dose["dt"], 12) >= today for dose in doses):
        return []
    if any(days(entry["df"], local) >= 0 and term_ends(entry["df"], 6) >= today for entry in who.record.get("r", [])):
        return []
    return [] if negative_within(who, local, timedelta(days=7)) else [1]


def declared_today(who: Someone, local: datetime) -> list[int]:
    refused = []
    isolation = who.record.get("isolation")
    if isolation and days(isolation["from"], local) >= 0 and not (
            "to" in isolation and days(isolation["to"], local) > 0):
        refused.append(1)
    declared = who.record.get("declaration")
    midnight = datetime.combine(local.date(), time(), local.tzinfo)
    if not declared or not midnight <= datetime.fromisoformat(declared["at"]) <= local:
        refused.append(2)
    return refused


FOR_EVER = date(9999, 12, 31)
PACKS: dict[str, Any] = {
    "hcm-3328": (date(2021, 9, 15), date(2021, 9, 30), hcm_3328),
    "epz-2021-09-20": (date(2021, 9, 20), date(2021, 9, 30), epz),
    "hcm-2021-10-01": (date(2021, 10, 1), FOR_EVER, hcm_october),
    "byt-8228": (date(2021, 9, 30), FOR_EVER, byt_8228),
    "declared-today": (date(1, 1, 1), FOR_EVER, declared_today),
    "open": (date(1, 1, 1), FOR_EVER, lambda who, local: []),
}


def days(day: str, local: datetime) -> int:
    """How many days have passed since a day; the day itself is 0."""
    return (local.date() - date.fromisoformat(day)).days


def term_ends(day: str, months: int) -> date:
    """The last day of a term of months: the day of the same number, or the last of a shorter month."""
    began = date.fromisoformat(day)
    year, month = began.year + (began.month - 1 + months) // 12, (began.month - 1 + months) % 12 + 1
    return date(year, month, min(began.day, monthrange(year, month)[1]))


def green(who: Someone, local: datetime) -> bool:
    return no_contact(who, local) and (completed(who, local) or recovered(who, local))


def limited(who: Someone, local: datetime) -> bool:
    return green(who, local) or (no_contact(who, local) and first_dose(who, local))


def no_contact(who: Someone, local: datetime) -> bool:
    contact = who.record.get("contact")
    return not contact or days(contact["at"], local) >= 14


def completed(who: Someone, local: datetime) -> bool:
    return any(dose.get("sd") and dose["dn"] >= dose["sd"] and days(dose["dt"], local) >= 14
               for dose in who.record.get("v", []))


def first_dose(who: Someone, local: datetime) -> bool:
    return any(days(dose["dt"], local) >= 14 for dose in who.record.get("v", []))


def recovered(who: Someone, local: datetime) -> bool:
    return any(days(entry["df"], local) >= 0 >= days(entry["du"], local) for entry in who.record.get("r", []))


def negatives(who: Someone, local: datetime) -> list[datetime]:
    taken = [datetime.fromisoformat(test["sc"]) for test in who.record.get("t", []) if test["tr"] == NEGATIVE]
    return [at for at in taken if at <= local]


def negative_within(who: Someone, local: datetime, limit: timedelta) -> bool:
    return any(local - at <= limit for at in negatives(who, local))


# --- what is drawn -------------------------------------------------------------------------------------

DISTANCES = (0, 1, 4, 5, 6, 13, 14, 15, 30, 179, 180, 181, 183, 184, 185, 364, 365, 366, 367)
HOURS = (0.0, 1.0, 5.0, 71.0, 72.0, 73.0, 110.0, 120.0, 168.0, 200.0)


def draw_record(rng: Random, near: datetime) -> dict[str, Any]:
    """Somebody's record, whose days lie where rules change their mind."""
    record: dict[str, Any] = {}

    def day(*, ahead: bool = False) -> str:
        distance = timedelta(days=rng.choice(DISTANCES) + rng.randint(-2, 2))
        return str((near + distance if ahead else near - distance).date())

    def moment() -> str:
        at = near - timedelta(hours=rng.choice(HOURS), seconds=rng.choice((0, 1, -1, rng.randint(-86_400, 86_400))))
        zone = rng.choice((timedelta(0), timedelta(hours=7), timedelta(hours=-5, minutes=-30)))
        local = (at + zone).replace(tzinfo=None).isoformat(timespec="seconds")
        sign = "-" if zone < timedelta(0) else "+"
        minutes = abs(zone) // timedelta(minutes=1)
        return local + (f"{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else rng.choice(("Z", "+00:00")))

    if rng.random() < 0.6:
        doses = rng.choice(((1, 1), (1, 2), (1, 2), (2, 2), (3, 2), (1, None)))
        record["v"] = [{"dn": doses[0], "dt": day(), "tg": "840539006"} | ({"sd": doses[1]} if doses[1] else {})]
        if doses == (2, 2) and rng.random() < 0.5:
            record["v"].insert(rng.randint(0, 1), {"dn": 1, "sd": 2, "dt": day()})
    if rng.random() < 0.3:
        record["r"] = [{"df": day(), "du": day(ahead=rng.random() < 0.7)} for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.5:
        record["t"] = [{"tr": rng.choice((NEGATIVE, NEGATIVE, POSITIVE)), "sc": moment()}
                       for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.6:
        record["declaration"] = {"at": moment()}
    if rng.random() < 0.15:
        record["isolation"] = {"from": day()} | ({"to": day(ahead=rng.random() < 0.6)} if rng.random() < 0.7 else {})
    if rng.random() < 0.2:
        record["contact"] = {"at": day()}
    return record


def draw_policy(rng: Random) -> HealthPolicy:
    """Which packs a gate asks for, and how much of them it enforces."""
    packs = tuple(rng.sample(tuple(PACKS), rng.choice((1, 1, 2))))
    rules = [f"{pack}.{number}" for pack in packs for number in (1, 2, 3, 4)]
    return HealthPolicy(packs, rng.random() < 0.15, frozenset(rng.sample(rules, rng.choice((0, 0, 1, 2)))))


# --- comparing -----------------------------------------------------------------------------------------

ZONES = tuple(map(ZoneInfo, ("Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Minh", "Europe/Berlin", "America/St_Johns")))
TURNS = tuple(datetime(2021, *day, tzinfo=UTC) for day in ((9, 15), (9, 20), (9, 30), (10, 1), (8, 31), (12, 1)))
PACKS_TAKEN = {name: pack_from_json(read_pack(name)) for name in PACKS}


def draw_moment(rng: Random) -> datetime:
    """A moment near midnight, near a pack's first or last day, near a month's end, or anywhere in some years."""
    near = rng.choice((*TURNS, datetime(2021, 9, 1, tzinfo=UTC) + timedelta(days=rng.randrange(1500))))
    offset_s = rng.choice((0, -1, 1, 61_200, 61_199, rng.uniform(-86_400, 86_400), rng.uniform(-10**6, 10**6)))
    return (near + timedelta(seconds=round(offset_s))).astimezone(rng.choice(ZONES))


def compare_packs(seed: int, cases: int) -> Counter[str]:
    """How often each rule refused and passed, by both alike, on so many people and moments.

    Raises:
        AssertionError: with everything that is needed to see the first case in which they differ.
    """
    counts: Counter[str] = Counter()
    rng = Random(seed)
    for case in range(cases):
        local = draw_moment(rng)
        record = draw_record(rng, local.astimezone(UTC))
        roles = frozenset(rng.sample(ROLES, rng.choice((0, 1, 1, 2))))
        who = Someone(record, roles, rng.choice((None, (rng.randrange(12), 20))))
        trusted, pack = rng.random() < 0.95, PACKS_TAKEN[rng.choice(tuple(PACKS))]
        headcount = Headcount(*who.headcount) if who.headcount else None
        said = [rule.id for rule in refusals(pack, record, Circumstances(local, trusted, roles, "", headcount))]
        expected = refused_by(pack.id, who, local, trusted)
        assert said == expected, (
            f"seed {seed}, case {case}: {pack.id} refuses by {said}, the reference by {expected}\n{who}\n{local}, "
            f"clock {'trusted' if trusted else 'not trusted'}")
        counts.update(f"{rule.id} {'refused' if rule.id in said else 'passed'}" for rule in pack.rules)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and say how often each rule refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    began = clock.monotonic()
    counts = compare_packs(chosen.seed, chosen.cases)
    print(f"{chosen.cases} people and moments agree, {clock.monotonic() - began:.0f} s")
    for name, number in sorted(counts.items()):
        print(f"  {name}: {number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
