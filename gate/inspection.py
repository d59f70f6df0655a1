"""What a code is and what it proves, for a person who asks: the answers of `gate decode`. Pure.

It takes the same steps as admission takes before any rule of a site speaks: read, prove, look up, and whether the
paper is in force; it grants nothing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gate import decoder, trust
from gate.errors import CodeError, ForgedError
from gate.model import Claims, Credential, Direction, Now, Proof, Reason
from gate.policy import revocation, validity
from gate.policy.context import Context
from gate.view import NO_DOCUMENTS, DocumentSet, View


@dataclass(frozen=True, slots=True)
class Finding:
    """All that can be said of one payload; `detail` says why it was refused, `hint` names a wrong code's kind."""

    format: str | None = None
    proof: Proof = Proof.NONE
    reason: Reason | None = None
    claims: Claims | None = None
    person: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    detail: str = ""
    hint: str = ""


_LIVE_FAULTS = {
    "unsigned": "a pass for one phone, without that phone's signature",
    "early": "the phone's clock is ahead of this moment",
    "old": "the phone signed it too long before this moment",
}

NO_SYMBOL = Finding(reason=Reason.NO_SYMBOL)


def inspect(payload: bytes, at: datetime, documents: DocumentSet = NO_DOCUMENTS) -> Finding:
    """Read and prove one payload as of a moment; `listed` can only come of a roster in `documents`."""
    claimant = decoder.claimant(payload)
    known = claimant.NAME if claimant else None
    proof = Proof.NONE
    try:
        token = decoder.read(payload)
        claims = None
        if token.signed is not None:
            proved = trust.prove(token, documents.keyring)
            proof = Proof.SIGNED
            claims = trust.read_proved(token.format, proved)
    except CodeError as error:
        proof = Proof.NONE if isinstance(error, ForgedError) else proof  # signed, but what it says is not in order
        return Finding(known, proof, trust.reason_of(error), detail=str(error), hint=getattr(error, "hint", ""))
    roster = documents.roster
    entry = roster.holder(claims.subject) if claims else roster.find(token.identifiers)
    proof = Proof.SIGNED if claims else Proof.LISTED if entry else Proof.CLAIMED
    context = Context(
        Credential(token.format, proof, entry.holder if entry else claims.subject if claims else "", claims, entry),
        Direction.ENTRY, View(area="", zone=ZoneInfo("UTC"), documents=documents), Now(at, mono=0.0),
    )
    reason = revocation.rule(context) or validity.rule(context)
    fault = context.view.live_codes.fault(claims, context.now) if claims else None
    return Finding(
        known, proof, reason or (Reason.NOT_LIVE if fault else None), claims,
        _person(claims) if claims else token.person, (*token.warnings, *(claims.warnings if claims else ())),
        detail=_LIVE_FAULTS.get(fault or "", ""),
    )


def answer(finding: Finding, id: str | int | None, index: int, payload: bytes | None = None) -> dict[str, Any]:
    """A finding as one JSON object of `gate.decode/1`; with `payload` it carries that too (`--raw`)."""
    claims = finding.claims
    fields = {
        "schema": "gate.decode/1",
        "id": id,
        "index": index,
        "format": finding.format,
        "proof": finding.proof.value,
        "reason": finding.reason.name if finding.reason else None,
        "issuer": claims.issuer if claims else None,
        "valid_from": _rfc3339(claims.printed_from_at or claims.valid_from_at) if claims else None,
        "valid_until": _rfc3339(claims.printed_until_at or claims.valid_until_at) if claims else None,
        "holder": finding.person,
        "record": claims.record if claims else None,
    }
    return fields | (_raw(payload) if payload is not None else {})


def _person(claims: Claims) -> dict[str, Any]:
    return claims.person or {
        "id": claims.subject, "pass": claims.pass_id, "areas": sorted(claims.areas), "roles": sorted(claims.roles),
    }


def _rfc3339(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def _raw(payload: bytes) -> dict[str, str]:
    try:
        return {"text": payload.decode()}
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(payload).decode()}
