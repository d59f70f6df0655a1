"""Admission said again, slowly and plainly, and compared with the real one on drawn people, rosters and moments.

    python -m tests.proofs.reference_admission --cases 1000000 [--seed 1]

Written from DESIGN.md (laws 2, 3 and 10), docs/code-formats.md, docs/writing-a-rule.md and docs/health-packs.md, not
from the code. What a code is and proves is known because `tests.proofs.drawn_site` made it: nothing of the decoder or
of trust is used to judge. The health packs are said again in `tests.proofs.reference_health`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from random import Random
from typing import NamedTuple

from gate.admission import admit
from gate.model import Direction, Mode, Now, Proof, Reason, Scan
from gate.view import View
from tests.proofs.drawn_site import DAYS, STAFF, TIMED_S, Code, Crowd, Drawn, Plain
from tests.proofs.reference_health import Someone, refused_by

WORLD_CASES = 500
"""Cases for each drawn set of codes, documents and settings."""


class Answer(NamedTuple):
    """What has to come of a scan; the rule is only said of a health rule."""

    reason: str
    rule: str = ""
    observed: tuple[str, ...] = ()


# --- the reference -------------------------------------------------------------------------------------


def reference(code: Code, view: View, plain: Plain, scan: Scan, now: Now) -> Answer:
    """How this scan is answered."""
    if view.duress_codes and code.under_duress:
        code = code._replace(flaw="", readable=True, identifiers=code.under_duress)
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
    observed, proof = [], Proof.SIGNED if code.paper else Proof.LISTED
    if asks_for_more(view, "health", Proof.LISTED) and plain.health_of.get(holder_of(code, plain)):
        return Answer("PROOF_TOO_WEAK")
    for rule, watched in health_refusals(code, view, plain, now):
        if watched:
            observed.append(rule)
        elif code.named and view.pairs.certificates != "ignored" and rule != "declared-today.1":
            return Answer("NEEDS_SECOND_CODE")  # a certificate may mend it
        else:
            return Answer("HEALTH_RULE", rule)
    crossing, crowd, holder = view.crossing, plain.crowd_of[view.presence], holder_of(code, plain) or code.subject
    if is_passback(crowd, holder, view, now) and crossing.anti_passback != "off":
        if crossing.anti_passback != "soft":
            return Answer("PASSBACK")
        observed.append("anti-passback")
    if crossing.occupancy_max is not None and crowd.inside(holder, view.area) >= crossing.occupancy_max:
        return Answer("OCCUPANCY_LIMIT")
    if asks_for_more(view, "quota", proof):
        return Answer("PROOF_TOO_WEAK")
    if crossing.quotas == "shared" and plain.quota is not None and crowd.inside(holder) >= plain.quota:
        return Answer("QUOTA")
    two = view.two_persons
    if two.within_s and (two.first is None or two.until_mono <= now.mono or two.first.holder == holder):
        return Answer("NEEDS_SECOND_PERSON")
    return Answer("GRANTED", observed=tuple(observed))


def is_passback(crowd: Crowd, holder: str, view: View, now: Now) -> bool:
    """Whether somebody enters who is inside already; where the time may be over, a wrong clock cannot say so."""
    if holder not in crowd.last:
        return not view.crossing.forgive_unknown
    place, at = crowd.last[holder]
    over = view.crossing.anti_passback == "timed" and now.trusted and now.utc - at >= timedelta(seconds=TIMED_S)
    return bool(place) and not over


def health_refusals(code: Code, view: View, plain: Plain, now: Now) -> list[tuple[str, bool]]:
    """Every health rule that refuses, enforced ones first, and whether it is only observed."""
    holder, local = holder_of(code, plain), now.utc.astimezone(view.zone)
    papers = [paper for paper in (code.paper, plain.people.get(holder)) if paper]
    inside = plain.crowd_of[view.presence].inside(holder or code.subject)
    headcount = (inside, STAFF) if view.crossing.quotas == "shared" else None
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
    for each in view.past_age if now.trusted else ():
        if now.utc > plain.published + each.limit and (not each.roster_only or not holder):
            return "ROSTER_STALE"
    papers = [paper for paper in (code.paper, plain.people.get(holder)) if paper]
    if now.trusted:
        for paper in papers:
            if paper.end and paper.end <= now.utc:
                return "EXPIRED"
            if paper.start and paper.start > now.utc:
                return "NOT_YET_ACTIVE"
    if asks_for_more(view, "area", proof):
        return "PROOF_TOO_WEAK"
    lists = [paper.areas for paper in papers if paper.areas]
    if not lists or not all({view.area, "*"} & areas for areas in lists):
        return "NO_ACCESS_RIGHTS"
    named = [paper.roles for paper in papers if paper.roles]
    if view.roles and (not named or any(not view.roles & roles for roles in named)):
        return "NO_ACCESS_RIGHTS"
    if not has_permit(plain, plain.company_of.get(holder, ""), now.utc.astimezone(view.zone).date(), now.trusted):
        return "PERMIT"
    schedule = plain.schedule_of.get(holder, "")
    if now.trusted and schedule and not is_open(plain, schedule, now.utc.astimezone(view.zone).replace(tzinfo=None)):
        return "OUT_OF_TIME_RANGE"
    host, uses = plain.visit_of.get(holder, ("", None))
    if host and not receives(host, view, plain, now):
        return "NO_HOST"
    if uses is not None and view.uses[holder] >= uses:
        return "MAX_USES"
    return "NEEDS_SECOND_CODE" if certificates == "required" and not code.paper else ""


def asks_for_more(view: View, rule: str, proof: Proof) -> bool:
    """Whether the site wants a signature where this rule looks, and there is none."""
    return view.proofs.get(rule) is Proof.SIGNED and proof is not Proof.SIGNED


def receives(host: str, view: View, plain: Plain, now: Now) -> bool:
    """Whether a visitor's host still belongs here and, where that is asked, is here."""
    if host not in plain.people or host in plain.revoked:
        return False
    end = plain.people[host].end
    if now.trusted and end and end <= now.utc:
        return False
    where, _ = plain.crowd_of[view.presence].last.get(host, ("", now.utc))
    return bool(where) or not view.host_inside


def has_permit(plain: Plain, company: str, today: date, date_is_known: bool) -> bool:
    """Whether somebody's business may work; who has none needs no permit, and what a wrong clock says is not held."""
    if not company or plain.permits is None:
        return True
    if company not in plain.permits:
        return not plain.permit_required
    first, last, suspended = plain.permits[company]
    early, late = first is not None and today < first, last is not None and last < today
    return not suspended and not (date_is_known and (early or late))


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
