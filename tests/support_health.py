"""Health certificates of issuers that exist in these tests only."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import cbor2
from base45 import b45encode
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gate.cose import PrivateKey, sign1
from gate.inspection import Finding, inspect
from gate.jwk import thumbprint
from gate.trust import Key, Keyring
from gate.view import DocumentSet

ISSUED_AT, EXPIRES_AT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
IN_TIME = datetime(2026, 11, 23, tzinfo=UTC)
ISSUER = ec.generate_private_key(ec.SECP256R1())
KID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
KEY = Key(KID, ISSUER.public_key(), None, None, "VN")

VACCINATION = {
    "tg": "840539006", "vp": "J07BX03", "mp": "EU/1/21/1529", "ma": "ORG-100030215", "dn": 2, "sd": 2,
    "dt": "2021-09-18", "co": "VN", "is": "Bộ Y tế", "ci": "URN:UVCI:01:VN:0001",
}
TEST = {
    "tg": "840539006", "tt": "LP6464-4", "sc": "2021-09-18T07:00:00+07:00", "tr": "260415000", "co": "VN",
    "is": "Bộ Y tế", "ci": "URN:UVCI:01:VN:0002",
}
RECOVERY = {
    "tg": "840539006", "fr": "2021-08-01", "co": "VN", "is": "Bộ Y tế", "df": "2021-08-15", "du": "2022-02-01",
    "ci": "URN:UVCI:01:VN:0003",
}
BODY = {
    "ver": "1.3.0", "dob": "1983-10-10",
    "nam": {"fn": "Nguyễn", "gn": "Bảo Duy", "fnt": "NGUYEN", "gnt": "BAO<DUY"}, "v": [VACCINATION],
}


def without_nones(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def cwt(body: Any = BODY, **claims: Any) -> bytes:
    """An EU certificate's claims; a claim given as None is left out."""
    usual = {"iss": "VN", "iat": int(ISSUED_AT.timestamp()), "exp": int(EXPIRES_AT.timestamp())}
    labels = {"iss": 1, "exp": 4, "iat": 6}
    return cbor2.dumps(
        {labels[name]: value for name, value in (usual | claims).items() if value is not None} | {-260: {1: body}})


def wrap_hc1(signed: bytes) -> bytes:
    return b"HC1:" + b45encode(zlib.compress(signed))


def hc1(payload: bytes = cwt(), key: PrivateKey = ISSUER, kid: bytes = KID) -> bytes:
    """An EU certificate as the text of its QR."""
    return wrap_hc1(sign1(payload, key, kid))


def judge(payload: bytes, *keys: Key, at: datetime = IN_TIME) -> Finding:
    """What the gate finds when it believes these keys (KEY where none is given)."""
    return inspect(payload, at, DocumentSet(keyring=Keyring(keys or [KEY])))


# --- SMART Health Card ----------------------------------------------------------------------------------

PATIENT = {
    "resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Bảo", "Duy"]}], "birthDate": "1983-10-10",
}


def immunization(day: str, cvx: str = "208", **changes: Any) -> dict[str, Any]:
    return without_nones(**({
        "resourceType": "Immunization", "status": "completed", "occurrenceDateTime": day,
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": cvx}]},
        "performer": [{"actor": {"display": "Trạm y tế"}}],
    } | changes))


def observation(taken: str, result: str = "260415000", **changes: Any) -> dict[str, Any]:
    return without_nones(**({
        "resourceType": "Observation", "status": "final", "effectiveDateTime": taken,
        "code": {"coding": [{"system": "http://loinc.org", "code": "94558-4"}]},
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": result}]},
    } | changes))


def card(*resources: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A health card's JSON."""
    return without_nones(**({
        "iss": "https://example.org/issuer", "nbf": ISSUED_AT.timestamp(),
        "vc": {
            "type": ["https://smarthealth.cards#health-card"], "rid": "card-1",
            "credentialSubject": {"fhirVersion": "4.0.1", "fhirBundle": {
                "resourceType": "Bundle", "entry": [{"resource": resource} for resource in (PATIENT, *resources)],
            }},
        },
    } | changes))


def raw_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def jws(payload: bytes, **header: Any) -> bytes:
    """A message in the compact form, signed by ISSUER; a member of the header given as None is left out."""
    usual = {"zip": "DEF", "alg": "ES256", "kid": base64url(thumbprint(ISSUER.public_key())).decode()}
    signed = base64url(json.dumps(without_nones(**(usual | header))).encode()) + b"." + base64url(payload)
    return signed + b"." + base64url(raw_signature(ISSUER, signed))


def wrap_shc(message: bytes) -> bytes:
    return b"shc:/" + b"".join(b"%02d" % (letter - 45) for letter in message)


def shc(content: dict[str, Any] | str) -> bytes:
    """A health card, or JSON that somebody signed as one, as the text of its QR."""
    text = content if isinstance(content, str) else json.dumps(content)
    return wrap_shc(jws(deflate(text.encode())))


# --- NZ COVID Pass --------------------------------------------------------------------------------------


def nzcp(key: PrivateKey = ISSUER, **claims: Any) -> bytes:
    """A NZ pass as the text of its QR; a claim given as None is left out."""
    usual = {
        1: "did:web:example.org", 5: int(ISSUED_AT.timestamp()), 4: int(EXPIRES_AT.timestamp()), 7: bytes(range(16)),
        "vc": {
            "@context": ["https://www.w3.org/2018/credentials/v1"], "version": "1.0.0",
            "type": ["VerifiableCredential", "PublicCovidPass"],
            "credentialSubject": {"givenName": "Duy", "familyName": "Nguyen", "dob": "1983-10-10"},
        },
    }
    labels = {"iss": 1, "exp": 4, "nbf": 5, "cti": 7, "vc": "vc"}
    changed = usual | {labels[name]: value for name, value in claims.items()}
    payload = cbor2.dumps({label: value for label, value in changed.items() if value is not None})
    return b"NZCP:/1/" + base64.b32encode(b"\xd2" + sign1(payload, key, KID)).rstrip(b"=")


# --- ICAO VDS-NC ----------------------------------------------------------------------------------------

SEALED = {
    "hdr": {"t": "icao.vacc", "v": 1, "is": "VNM"},
    "msg": {
        "uvci": "U1", "pid": {"n": "NGUYEN  BAO DUY", "dob": "1983-10-10", "i": "B1234567"},
        "ve": [{"des": "XM68M6", "nam": "Vaxzevria", "dis": "RA01.0", "vd": [
            {"dvc": "2021-09-18", "seq": 1, "ctr": "VNM", "adm": "Trạm y tế", "lot": "1"},
        ]}],
    },
}


def certificate(
    key: PrivateKey = ISSUER, by: PrivateKey = ISSUER, *, authority: bool = False, usages: tuple[str, ...] = (),
    until: datetime = EXPIRES_AT,
) -> bytes:
    """A certificate in DER for `key`, signed by `by`."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "VN")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), ISSUED_AT, until)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(map(x509.ObjectIdentifier, usages)), critical=True)
    return builder.sign(by, SHA256()).public_bytes(Encoding.DER)


def seal(signer_certificate: bytes, data: dict[str, Any] = SEALED, key: ec.EllipticCurvePrivateKey = ISSUER) -> bytes:
    """A seal as the text of its QR, printed with blanks to show that only the canonical form is signed."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({"data": data, "sig": {
        "alg": "ES256", "cer": base64url(signer_certificate).decode(),
        "sigvl": base64url(raw_signature(key, canonical)).decode(),
    }}, indent=1, ensure_ascii=False).encode()
