"""A business whose permit is suspended or over brings nobody in."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """PERMIT for the people of a business that may not work today; of its days only a trusted clock can tell.

    Who belongs to no business that the roster names needs no permit.
    """
    permits, entry = context.view.documents.permits, context.credential.entry
    if permits is None or entry is None or not entry.company:
        return None
    today = context.local.date() if context.now.trusted else None
    return None if permits.holds(entry.company, today) else Reason.PERMIT
