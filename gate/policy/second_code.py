"""Where the site asks for a health certificate, a code that only says who somebody is opens nothing by itself."""

from gate.model import Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """NEEDS_SECOND_CODE for a listed code without a certificate beside it; a signed pass stands by itself."""
    if context.view.pairs.certificates != "required" or context.credential.claims is not None:
        return None
    return Reason.NEEDS_SECOND_CODE
