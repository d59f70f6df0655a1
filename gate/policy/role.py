"""Who may enter here by role, beside the area: a store for drivers, a laboratory for technicians."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """NO_ACCESS_RIGHTS unless every paper that names roles names one of this gate's, and at least one does."""
    wanted = context.view.roles
    naming = [paper.roles for paper in context.papers if paper.roles]
    if not wanted or (naming and all(roles & wanted for roles in naming)):
        return None
    return Reason.NO_ACCESS_RIGHTS
