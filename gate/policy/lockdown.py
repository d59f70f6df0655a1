"""Nobody enters while the gate is locked down."""

from gate.model import Mode, Reason
from gate.policy.context import Context


def rule(context: Context) -> Reason | None:
    """LOCKDOWN while the mode says so."""
    return Reason.LOCKDOWN if context.view.mode is Mode.LOCKDOWN else None
