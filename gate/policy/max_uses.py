"""A code that is good for so many entries."""

from gate.model import Reason
from gate.policy.context import Context
from gate.policy.visits import visit_of


def rule(context: Context) -> Reason | None:
    """MAX_USES once the holder has entered here as often as the roster allows."""
    limit = visit_of(context.credential.entry).uses
    used = context.view.uses.get(context.credential.holder, 0)
    return Reason.MAX_USES if limit is not None and used >= limit else None
