"""Two people with the right to enter open together, one after the other within a few seconds."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """NEEDS_SECOND_PERSON until another holder stands here who may enter too; the last of all rules."""
    two = context.view.two_persons
    if two.within_s is None or two.beside(context.credential.holder, context.now.mono):
        return None
    return Reason.NEEDS_SECOND_PERSON
