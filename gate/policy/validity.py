"""A paper is good from its first moment until, but not at, its last (RFC 7519 4.1.4 and 4.1.5)."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """NOT_YET_ACTIVE or EXPIRED by any paper that sets a bound; acts only on a trusted clock."""
    if not context.now.trusted:
        return None
    moment = context.now.utc
    for paper in context.papers:
        if paper.valid_until_at is not None and moment >= paper.valid_until_at:
            return Reason.EXPIRED
        if paper.valid_from_at is not None and moment < paper.valid_from_at:
            return Reason.NOT_YET_ACTIVE
    return None
