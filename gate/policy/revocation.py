"""A pass, a holder or a signing key that the revocations document names opens nothing."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """REVOKED when the pass, its key or its holder is withdrawn."""
    revoked = context.view.documents.revocations
    claims = context.credential.claims
    if context.credential.holder in revoked.holders:
        return Reason.REVOKED
    if claims is not None and (
            claims.key_withdrawn or claims.pass_id in revoked.passes or claims.key_id in revoked.keys):
        return Reason.REVOKED
    return None
