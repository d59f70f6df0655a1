"""What to do when the gate cannot know the time, or its roster has grown old: the config says (law 2)."""

from gate.model import Reason
from gate.policy.context import Context, Objection


def clock_rule(context: Context) -> Reason | None:
    """CLOCK_UNTRUSTED where the site wants no entry without a right clock."""
    if context.now.trusted or context.view.continue_on_untrusted_clock:
        return None
    return Reason.CLOCK_UNTRUSTED


def roster_rule(context: Context) -> Reason | None:
    """ROSTER_STALE once the documents are older than the site allows; acts only on a trusted clock."""
    limit = context.view.roster_max_age
    if limit is None or not context.now.trusted or context.view.continue_on_stale_roster:
        return None
    return Reason.ROSTER_STALE if context.now.utc - context.view.documents.published_at > limit else None


def documents_rule(context: Context) -> Reason | Objection | None:
    """ROSTER_STALE, by the document's name, once one is past its age; some let in whom the roster lists."""
    if not context.now.trusted:
        return None
    age, listed = context.now.utc - context.view.documents.published_at, context.credential.entry is not None
    for each in context.view.past_age:
        if age > each.limit and not (each.roster_only and listed):
            return Objection(f"{each.document}-age", Reason.ROSTER_STALE)
    return None
