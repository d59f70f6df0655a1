"""A visitor comes to see somebody who is on the list and, where the site asks for it, inside."""

from gate.model import Reason
from gate.policy.context import Context
from gate.policy.visits import visit_of


def rule(context: Context) -> Reason | None:
    """NO_HOST unless the host is listed and not withdrawn; with `host_inside` also unless the host is on the site."""
    view, host = context.view, visit_of(context.credential.entry).host
    if not host:
        return None
    entry = view.documents.roster.holder(host)
    if entry is None or host in view.documents.revocations.holders:
        return Reason.NO_HOST
    if context.now.trusted and entry.valid_until_at is not None and context.now.utc >= entry.valid_until_at:
        return Reason.NO_HOST
    return Reason.NO_HOST if view.host_inside and not view.presence.place(host) else None
