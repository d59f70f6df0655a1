"""The number of people that the authority allotted, in all and to each company.

`shared` counts who is inside by what all gates said; `share` counts who entered less who left here, against the part
of the limit that was dealt to this gate. `docs/presence.md` says what each guarantees.
"""

from collections.abc import Iterator

from gate.model import Reason
from gate.policy.context import Context
from gate.policy.quotas import Share


def rule(context: Context) -> Reason | None:
    """QUOTA when the site or the person's company is full; a gate that asks for quotas and has none lets nobody in."""
    crossing, quotas = context.view.crossing, context.view.documents.quotas
    if crossing.quotas == "off":
        return None
    if quotas is None:
        return Reason.QUOTA
    counts = _shared(context) if crossing.quotas == "shared" else _share(context)
    return Reason.QUOTA if any(limit is not None and count >= limit for count, limit in counts) else None


def _shared(context: Context) -> Iterator[tuple[int, int | None]]:
    presence, quotas, holder = context.view.presence, context.view.documents.quotas, context.credential.holder
    assert quotas is not None
    yield presence.inside(besides=holder), quotas.site
    yield presence.inside(_company(context), besides=holder), quotas.companies.get(_company(context))


def _share(context: Context) -> Iterator[tuple[int, int | None]]:
    presence, quotas, company = context.view.presence, context.view.documents.quotas, _company(context)
    assert quotas is not None
    share = quotas.shares.get(context.view.crossing.gate, Share())
    if quotas.site is not None:
        yield presence.brought_in(), share.site or 0
    if company in quotas.companies:
        yield presence.brought_in(company), share.companies.get(company, 0)


def _company(context: Context) -> str:
    entry = context.credential.entry
    return entry.company if entry else ""
