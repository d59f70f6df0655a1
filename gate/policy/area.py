"""Who may enter the area behind this door."""

from gate.model import Reason
from gate.policy.context import Context

EVERYWHERE = "*"


def rule(context: Context) -> Reason | None:
    """NO_ACCESS_RIGHTS unless every paper that names areas names this one, and at least one does."""
    granting = [paper.areas for paper in context.papers if paper.areas]
    if granting and all(context.view.area in areas or EVERYWHERE in areas for areas in granting):
        return None
    return Reason.NO_ACCESS_RIGHTS
