"""An area that holds only so many people."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """OCCUPANCY_LIMIT when the area is full without this person."""
    view, limit = context.view, context.view.crossing.occupancy_max
    if limit is None:
        return None
    return Reason.OCCUPANCY_LIMIT if view.presence.at(view.area, besides=context.credential.holder) >= limit else None
