"""From the config to the core: the view that admission reads, the lane that starts closed, the clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from gate import config
from gate.clock import BUILD_FLOOR, SystemClock, always, kernel_synchronised
from gate.model import Mode, Proof
from gate.policy.ages import PastAge
from gate.policy.attempts import Attempts
from gate.policy.crossing import Crossing
from gate.policy.health.pack import HealthPolicy
from gate.policy.live_codes import LiveCodes
from gate.policy.pairs import Pairs
from gate.policy.together import TwoPersons
from gate.portal import Portal, Timing
from gate.view import View


def view_of(
    admission: config.Admission, site: config.Site, guessable: frozenset[str],
    health: config.Health = config.Health(),  # noqa: B008  (frozen)
) -> View:
    """A view with no documents yet; `guessable` names the entry readers at which codes can be guessed."""
    max_age_h, must_be_listed = admission.roster_max_age_h, admission.signed_must_be_listed
    return View(
        area=site.area, zone=ZoneInfo(site.time_zone),
        attempts=Attempts(guessable, admission.attempts_max, admission.lockout_s, admission.lockout_max_s),
        accept=frozenset(Proof(proof) for proof in admission.accept),
        signed_must_be_listed=site.kind == "workplace" if must_be_listed is None else must_be_listed,
        roster_max_age=None if max_age_h is None else timedelta(hours=max_age_h),
        past_age=tuple(PastAge(each.document, timedelta(hours=each.max_age_h), each.then == "roster_only")
                       for each in admission.past_age if each.then != "continue"),
        continue_on_stale_roster=admission.on_stale_roster == "continue",
        continue_on_untrusted_clock=admission.on_untrusted_clock == "continue",
        live_codes=LiveCodes(admission.live_code_max_age_s, admission.phone_skew_s),
        pairs=Pairs(admission.certificates, admission.second_code_s),
        duress_codes=admission.duress_codes,
        proofs={rule: Proof(proof) for rule, proof in admission.proofs.items()},
        roles=frozenset(admission.roles), host_inside=admission.host == "inside",
        two_persons=TwoPersons(admission.two_persons_s),
        health=HealthPolicy(health.packs, health.mode == "observe", frozenset(health.observe_rules)),
    )


def crossing_of(presence: config.Presence | None, gate: str) -> Crossing:
    """What this gate refuses by who is inside."""
    if presence is None:
        return Crossing(gate)
    return Crossing(
        gate, presence.outside, presence.anti_passback, presence.anti_passback_s, presence.unknown == "forgive",
        presence.occupancy_max, presence.quotas, tuple(time.fromisoformat(end) for end in presence.shift_ends),
    )


def clock_of(settings: config.Clock, floor_at: datetime | None = None) -> SystemClock:
    """The machine's clock, believed as the config says."""
    return SystemClock(floor_at or BUILD_FLOOR, always if settings.trust == "always" else kernel_synchronised)


def lane_of(portal: config.Portal, flush_max_s: float, sensor: bool, mode: Mode = Mode.NORMAL) -> Portal:
    """A closed lane, in the mode it was left in; `sensor` says whether a contact can tell that somebody passed."""
    return Portal(Timing(
        pulse_s=portal.pulse_s, passage_s=portal.passage_s, pending_s=portal.pending_s,
        pending_max=portal.pending_max, prealarm_s=portal.prealarm_s, held_open_s=portal.held_open_s,
        flush_max_s=flush_max_s, sensor=sensor,
    ), mode=mode)
