"""At which hours the roster lets a holder in."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """OUT_OF_TIME_RANGE outside the holder's schedule; acts only on a trusted clock."""
    entry = context.credential.entry
    if entry is None or not entry.schedule or not context.now.trusted:
        return None
    if context.view.documents.schedules.is_open(entry.schedule, context.local):
        return None
    return Reason.OUT_OF_TIME_RANGE
