"""From the config to the core: the view that admission reads and the lane that starts closed."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from gate import config
from gate.model import Proof
from gate.policy.attempts import Attempts
from gate.portal import Portal, Timing
from gate.view import View


def view_of(admission: config.Admission, area: str, zone: ZoneInfo, guessable: frozenset[str]) -> View:
    """A view with no documents yet; `guessable` names the entry readers at which codes can be guessed."""
    max_age_h = admission.roster_max_age_h
    return View(
        area=area, zone=zone,
        attempts=Attempts(guessable, admission.attempts_max, admission.lockout_s, admission.lockout_max_s),
        accept=frozenset(Proof(proof) for proof in admission.accept),
        signed_must_be_listed=admission.signed_must_be_listed,
        roster_max_age=None if max_age_h is None else timedelta(hours=max_age_h),
        continue_on_stale_roster=admission.on_stale_roster == "continue",
        continue_on_untrusted_clock=admission.on_untrusted_clock == "continue",
    )


def lane_of(portal: config.Portal, flush_max_s: float, sensor: bool) -> Portal:
    """A closed lane; `sensor` says whether a contact can tell that somebody passed."""
    return Portal(Timing(
        pulse_s=portal.pulse_s, passage_s=portal.passage_s, pending_s=portal.pending_s,
        pending_max=portal.pending_max, prealarm_s=portal.prealarm_s, held_open_s=portal.held_open_s,
        flush_max_s=flush_max_s, sensor=sensor,
    ))
