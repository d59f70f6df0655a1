"""ICAO's visible digital seal VDS-NC: JSON sealed with ES256 by a certificate that it brings along. Pure.

Source: ICAO Technical Report "VDS-NC, Visible Digital Seal for non-constrained environments", versions 1.1 to 1.4. The
seal is over the RFC 8785 form of `data`; its certificate must be listed, or be issued by a pinned authority (CSCA).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from gate.cose import Algorithm, PublicKey, algorithm_of, verify_signature
from gate.decoder.withdrawal import withdrawal_id
from gate.errors import ForgedError, MalformedError
from gate.model import Claims, Token
from gate.strict_json import canonical, read_json_object

NAME = "vds-nc"

_COVID_19, _COVID_19_ICD_11 = "840539006", "RA01"
_RESULTS = {"Positive": "260373001", "Negative": "260415000"}


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as read, before anybody verified it; `certificate` (DER) is its signer's, whose hash begins with `kid`."""

    kid: bytes
    payload: bytes
    signature: bytes
    certificate: bytes


def claims(payload: bytes) -> bool:
    """Whether this is a JSON object that speaks of a seal of ICAO's."""
    return payload[:1] == b"{" and b'"hdr"' in payload and b'"icao.' in payload


def parse(payload: bytes) -> Token:
    """Pass the seal on as it is: what it says is read once somebody vouched for it.

    Raises:
        MalformedError: not a sealed object.
    """
    parse_seal(payload)
    return Token(NAME, signed=payload)


def parse_seal(sealed: bytes) -> Seal:
    """Read a seal without believing it.

    Raises:
        MalformedError: not strict JSON with data and sig, or not sealed with ES256.
    """
    match read_json_object(sealed):
        case {"data": dict(data), "sig": {"alg": "ES256", "cer": str(cer), "sigvl": str(sigvl)}}:
            certificate = _base64url(cer)
            kid = hashlib.sha256(certificate).digest()[:8]
            return Seal(kid, canonical(data), _base64url(sigvl), certificate)
    raise MalformedError("not a seal: data, or sig with alg ES256, cer and sigvl, is missing")


def verify_seal(seal: Seal, public_key: PublicKey) -> None:
    """Check the seal.

    Raises:
        ForgedError: the key did not make it.
    """
    if algorithm_of(public_key) is not Algorithm.ES256:
        raise ForgedError("sealed with ES256, its key is for another algorithm")
    verify_signature(public_key, seal.signature, seal.payload)


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what was sealed; `payload` comes from a verified seal.

    Raises:
        MalformedError: neither a vaccination nor a test, or a part of it is out of form.
    """
    match read_json_object(payload):
        case {"hdr": {"t": "icao.vacc", "is": str(issuer)}, "msg": {"uvci": str(seal_id), "pid": dict(pid),
              "ve": [*events]}}:
            record = {"v": [entry for event in events for entry in _vaccinations(event, seal_id)], "t": [], "r": []}
        case {"hdr": {"t": "icao.test", "is": str(issuer)}, "msg": {"utci": str(seal_id), "pid": dict(pid)} as test}:
            record = {"v": [], "t": [_test(test, seal_id)], "r": []}
        case _:
            raise MalformedError("a seal of neither a vaccination (icao.vacc) nor a test (icao.test)")
    return Claims(
        issuer=issuer, subject="", key_id=key_id, pass_id=withdrawal_id(seal_id), record=record, person=_person(pid),
    )


def _person(pid: dict[str, Any]) -> dict[str, Any]:
    """The holder; two blanks part the names, the family's first (ICAO Doc 9303-3 4.6)."""
    name, born, number = pid.get("n"), pid.get("dob", ""), pid.get("i", "")
    if not (isinstance(name, str) and isinstance(born, str) and isinstance(number, str)):
        raise MalformedError("a seal whose holder (pid) has no name, or whose birth date or number is no text")
    family, _, given = name.partition("  ")
    return {
        "name": f"{family} {given}".strip(), "family_name": family, "given_name": given.strip(), "dob": born,
        "id": number,
    }


def _vaccinations(event: object, seal_id: str) -> list[dict[str, Any]]:
    match event:
        case {"des": str(vaccine), "nam": str(product), "dis": str(disease), "vd": [_, *_] as doses}:
            return [
                {"tg": _disease(disease), "vp": vaccine, "mp": product, "ci": seal_id} | _dose(dose) for dose in doses
            ]
    raise MalformedError("a seal with a vaccination without vaccine, product, disease or doses")


def _dose(dose: object) -> dict[str, Any]:
    match dose:
        case {"dvc": str(day), "seq": int() | str() as number, "ctr": str(country), "adm": str(place)} if (
                str(number).isascii() and str(number).isdecimal()):
            return {"dn": int(number), "dt": day, "co": country, "is": place}
    raise MalformedError("a seal with a dose without date, number, country or place")


def _test(test: dict[str, Any], seal_id: str) -> dict[str, Any]:
    match test:
        case {"sp": {"spn": str(place), "ctr": str(country)}, "dat": {"sc": str(taken)},
              "tr": {"tc": str(kind), "r": str(result)}}:
            return {
                "tg": _COVID_19, "tt": kind, "sc": taken, "tr": _RESULTS.get(result, result), "co": country,
                "is": place, "ci": seal_id,
            }
    raise MalformedError("a seal with a test without place, date, kind or result")


def _disease(code: str) -> str:
    """The disease in the code of the EU's value set where it is COVID-19 (ICD-11 RA01), else as ICD-11 has it."""
    return _COVID_19 if code.startswith(_COVID_19_ICD_11) else f"icd-11:{code}"


def _base64url(text: str) -> bytes:
    """Base64url; issuers differ on padding."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars="-_", validate=True)
    except ValueError as error:
        raise MalformedError("a seal whose certificate or signature is not base64url") from error
