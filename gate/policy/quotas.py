"""How many people may be on the site, in all and of each company: the signed numbers. Pure.

The signed target `quotas.json`:

    {"schema": "gate.quotas/1",
     "site": {"max": 400},
     "companies": {"cty-a": {"max": 50}, "cty-b": {"percent": 50, "staff": 121}},
     "shares": {"gate-1": {"site": 250, "companies": {"cty-a": 50}}}}

A company that is not named has no number of its own. `shares` deal the same numbers out to gates, for sites where no
limit may ever be exceeded (`docs/presence.md`); what the shares of one limit come to must not exceed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from gate.errors import DocumentError
from gate.strict_json import NOT_IN_FORM

QUOTAS_MAX_BYTES = 1_000_000
SITE = "site"

Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number of people, absolute or as a share of a staff that the publisher counted."""

    max: Count | None = None
    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    staff: Count | None = None

    @property
    def people(self) -> int:
        """How many that is; parts of a person are cut off."""
        if self.max is not None:
            return self.max
        return (self.percent or 0) * (self.staff or 0) // 100


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many of a limit one gate may bring in; a company that is not named gets nobody in by its own limit."""

    site: Count | None = None
    companies: dict[str, Count] = {}


@dataclass(frozen=True, slots=True)
class Quotas:
    """The numbers in force."""

    site: int | None = None
    staff: int | None = None
    """How many belong to the site, where the publisher said so."""
    companies: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    site: Limit | None = None
    companies: dict[str, Limit] = {}
    shares: dict[str, Share] = {}


def quotas_from_json(data: bytes) -> Quotas:
    """Read the quotas document.

    Raises:
        DocumentError: not in form, a limit that says nothing, or shares that come to more than their limit.
    """
    if len(data) > QUOTAS_MAX_BYTES:
        raise DocumentError(f"quotas.json: {len(data)} bytes; at most {QUOTAS_MAX_BYTES}")
    try:
        file = msgspec.json.decode(data, type=_File)
    except NOT_IN_FORM as error:
        raise DocumentError(f"quotas.json: {error}") from error
    if file.schema != "gate.quotas/1":
        raise DocumentError(f"quotas.json: its schema is {file.schema!r}, this gate reads gate.quotas/1")
    named = {**file.companies, **({SITE: file.site} if file.site else {})}
    for name, limit in named.items():
        if (limit.max is None) == (limit.percent is None) or (limit.percent is not None and limit.staff is None):
            raise DocumentError(f"quotas.json: {name}: give either max, or percent and staff")
    quotas = Quotas(
        file.site.people if file.site else None, file.site.staff if file.site else None,
        {name: limit.people for name, limit in file.companies.items()}, file.shares,
    )
    _check_shares(quotas)
    return quotas


def _check_shares(quotas: Quotas) -> None:
    if not quotas.shares:
        return
    dealt = {SITE: sum(share.site or 0 for share in quotas.shares.values())}
    for share in quotas.shares.values():
        for company, count in share.companies.items():
            dealt[company] = dealt.get(company, 0) + count
    for name, limit in {SITE: quotas.site, **quotas.companies}.items():
        if limit is not None and dealt.get(name, 0) > limit:
            raise DocumentError(f"quotas.json: {name}: its shares come to {dealt[name]}, and its limit is {limit}")
