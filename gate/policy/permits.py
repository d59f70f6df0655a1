"""Which businesses may work here, and until when: the signed list. Pure.

The signed target `permits.json`:

    {"schema": "gate.permits/1",
     "required": true,
     "businesses": {"cty-a": {"from": "2021-09-15", "to": "2021-10-31"}, "cty-b": {"suspended": true}}}

Days are days on the site's wall, `to` the last one. With `required` a business that is not named has no permit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import msgspec

from gate.errors import DocumentError
from gate.strict_json import NOT_IN_FORM

PERMITS_MAX_BYTES = 4_000_000


class Permit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"first": "from"}):
    """One business's permit; without days it has no bound."""

    first: date | None = None
    to: date | None = None
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Permits:
    """The permits in force."""

    required: bool = False
    businesses: Mapping[str, Permit] = field(default_factory=dict)

    def holds(self, company: str, today: date | None) -> bool:
        """Whether a business may work today; while the date is not known (None) only a suspension counts."""
        permit = self.businesses.get(company)
        if permit is None:
            return not self.required
        if permit.suspended or today is None:
            return not permit.suspended
        return (permit.first is None or permit.first <= today) and (permit.to is None or today <= permit.to)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    required: bool = False
    businesses: dict[str, Permit] = {}


def permits_from_json(data: bytes) -> Permits:
    """Read the permits document.

    Raises:
        DocumentError: too long, not in form, or a permit that ends before it begins.
    """
    if len(data) > PERMITS_MAX_BYTES:
        raise DocumentError(f"permits.json: {len(data)} bytes; at most {PERMITS_MAX_BYTES}")
    try:
        file = msgspec.json.decode(data, type=_File)
    except NOT_IN_FORM as error:
        raise DocumentError(f"permits.json: {error}") from error
    if file.schema != "gate.permits/1":
        raise DocumentError(f"permits.json: its schema is {file.schema!r}, this gate reads gate.permits/1")
    for name, permit in file.businesses.items():
        if permit.first and permit.to and permit.to < permit.first:
            raise DocumentError(f"permits.json: {name}: ends on {permit.to}, before it begins on {permit.first}")
    return Permits(file.required, file.businesses)


def permits_to_json(permits: Permits) -> bytes:
    """Write the permits document; equal permits are equal bytes."""
    return msgspec.json.encode(
        _File("gate.permits/1", permits.required, dict(permits.businesses)), order="sorted")
