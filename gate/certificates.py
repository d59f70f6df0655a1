"""Certificates of signers as trust lists carry them, read in spite of what real ones get wrong. Pure.

A trust list is believed as a whole, so nobody's signature is checked here: a certificate is a key, a life and what it
may vouch for. Only a seal that brings its own certificate needs a chain, one step long (`is_issued_by`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gate.cose import PublicKey
from gate.errors import UnusableKeyError

# Object identifiers 1.3.6.1.4.1.1847.2021.1.N, and with the slip that most countries copied, ...1.0.1847.2021.1.N
# (eHealth Network, Technical Specifications for EU DCC volume 1, annex II), as DER writes them up to N.
_USAGES = (bytes.fromhex("060b2b060104018e378f6501"), bytes.fromhex("060c2b06010401008e378f6501"))
_KINDS = {"t": b"\x01", "v": b"\x02", "r": b"\x03"}
_VDS_NC = x509.ObjectIdentifier("2.23.136.1.1.14.2")  # ICAO Doc 9303-13, 4.3: barcode signer of a VDS-NC

_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)

Extension = TypeVar("Extension", x509.BasicConstraints, x509.ExtendedKeyUsage)


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What a certificate says of its key; `kinds` of health certificate (v, t, r) that it may sign, None for any.

    `authority` is a key that may vouch for other certificates (RFC 5280 4.2.1.9).
    """

    public_key: PublicKey
    valid_from_at: datetime
    valid_until_at: datetime
    kinds: frozenset[str] | None
    authority: bool


def read_certificate(der: bytes) -> SignerCertificate:
    """Read one certificate.

    Raises:
        UnusableKeyError: not a certificate, or its key signs no codes.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        authority = _extension(certificate, x509.BasicConstraints)
        return SignerCertificate(
            _signing_key(key), certificate.not_valid_before_utc, certificate.not_valid_after_utc,
            _kinds(certificate.tbs_certificate_bytes), authority is not None and authority.ca,
        )
    except _UNREADABLE as error:
        raise UnusableKeyError(f"not a certificate in DER: {error}") from error


def is_issued_by(der: bytes, authority: PublicKey) -> bool:
    """Whether this key signed that certificate, which may seal barcodes (a certificate of no usage may do anything).

    Raises:
        UnusableKeyError: not a certificate.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        usage = _extension(certificate, x509.ExtendedKeyUsage)
        if usage is not None and _VDS_NC not in usage:
            return False
        hashed = certificate.signature_hash_algorithm
        if isinstance(authority, EllipticCurvePublicKey) and hashed is not None:
            authority.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashed))
        elif isinstance(authority, RSAPublicKey) and hashed is not None:
            scheme = certificate.signature_algorithm_parameters
            if not isinstance(scheme, padding.PKCS1v15 | padding.PSS):
                return False
            authority.verify(certificate.signature, certificate.tbs_certificate_bytes, scheme, hashed)
        else:
            return False
    except InvalidSignature:
        return False
    except _UNREADABLE as error:
        raise UnusableKeyError(f"not a certificate in DER: {error}") from error
    return True


def _signing_key(key: object) -> PublicKey:
    if not isinstance(key, PublicKey):
        raise UnusableKeyError(f"a certificate of a {type(key).__name__}, which signs no codes")
    return key


def _kinds(signed: bytes) -> frozenset[str] | None:
    """The kinds that the usage names, looked for as DER writes them: strict parsers refuse real signers' extensions."""
    named = frozenset(kind for kind, end in _KINDS.items() if any(usage + end in signed for usage in _USAGES))
    return named or None


def _extension(
    certificate: x509.Certificate, wanted: type[Extension],
) -> Extension | None:
    """An extension, or None where there is none or where one of its neighbours breaks the rules of DER."""
    try:
        return certificate.extensions.get_extension_for_class(wanted).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
