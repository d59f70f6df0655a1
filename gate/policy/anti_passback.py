"""Nobody enters twice without having left: hard refuses, soft reports, timed refuses for a while."""

from gate.model import Direction, Reason
from gate.policy.context import Context

NAME = "anti-passback"


def rule(context: Context) -> Reason | None:
    """PASSBACK for who is not known to be where this gate's way in begins."""
    mode = context.view.crossing.anti_passback
    return Reason.PASSBACK if mode in ("hard", "timed") and _is_passback(context) else None


def observed(context: Context) -> tuple[str, ...]:
    """What soft anti-passback reports of somebody who is let in."""
    entering = context.direction is Direction.ENTRY
    return (NAME,) if entering and context.view.crossing.anti_passback == "soft" and _is_passback(context) else ()


def _is_passback(context: Context) -> bool:
    view, holder = context.view, context.credential.holder
    if not holder:
        return False
    place = view.presence.place(holder)
    if place is None:
        return not view.crossing.forgive_unknown
    if place == view.crossing.outside:
        return False
    age_s = context.now.utc.timestamp() - view.presence.since_millis(holder) / 1000
    # A clock that is wrong may show any age: then the time is not over.
    return not (view.crossing.anti_passback == "timed" and context.now.trusted and age_s >= view.crossing.timed_s)
