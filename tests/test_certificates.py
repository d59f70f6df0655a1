"""Certificates of signers, as the norm has them and as real countries made them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from support_health import EXPIRES_AT, ISSUED_AT, ISSUER, certificate

from gate.certificates import is_issued_by, read_certificate
from gate.errors import DocumentError

TEST, VACCINATION, RECOVERY = (f"1.3.6.1.4.1.1847.2021.1.{number}" for number in (1, 2, 3))
MISCOPIED_VACCINATION = "1.3.6.1.4.1.0.1847.2021.1.2"
OF_WEB_SERVERS = "1.3.6.1.5.5.7.3.1"


@pytest.mark.parametrize(("usages", "kinds"), [
    ((), None), ((OF_WEB_SERVERS,), None), ((TEST,), {"t"}), ((RECOVERY,), {"r"}), ((MISCOPIED_VACCINATION,), {"v"}),
    ((TEST, MISCOPIED_VACCINATION, OF_WEB_SERVERS), {"t", "v"}), ((TEST, VACCINATION, RECOVERY), {"t", "v", "r"}),
])
def test_usage_names_the_kinds_and_none_named_means_any(usages: tuple[str, ...], kinds: set[str] | None) -> None:
    assert read_certificate(certificate(usages=usages)).kinds == kinds


@pytest.mark.parametrize("constraints", ["3003010100", "3003020100", "ff"],
                         ids=["default written out", "path length of no authority", "no DER at all"])
def test_certificate_with_extensions_that_break_der_is_read(constraints: str) -> None:
    """As in the trust lists: Finland, Cyprus and others."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "VN")])
    builder = x509.CertificateBuilder(name, name, ISSUER.public_key(), x509.random_serial_number(), ISSUED_AT,
                                      EXPIRES_AT)
    builder = builder.add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), bytes.fromhex(constraints)), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(VACCINATION)]), critical=False)
    signer = read_certificate(builder.sign(ISSUER, SHA256()).public_bytes(Encoding.DER))
    assert (signer.public_key, signer.kinds, signer.authority) == (ISSUER.public_key(), {"v"}, False)
    assert (signer.valid_from_at, signer.valid_until_at) == (ISSUED_AT, EXPIRES_AT)


def test_only_a_certificate_that_says_so_is_an_authority() -> None:
    assert read_certificate(certificate(authority=True)).authority
    assert not read_certificate(certificate()).authority


def test_certificate_is_issued_by_the_key_that_signed_it_only() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    assert is_issued_by(certificate(by=other), other.public_key())
    assert not is_issued_by(certificate(by=other), ISSUER.public_key())
    assert not is_issued_by(certificate(), ed448.Ed448PrivateKey.generate().public_key())  # type: ignore[arg-type]


def test_certificate_signed_in_another_way_is_not_issued_by_this_key() -> None:
    of_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert is_issued_by(certificate(by=of_rsa), of_rsa.public_key())
    assert not is_issued_by(certificate(), of_rsa.public_key())
    assert not is_issued_by(certificate(by=of_rsa), ISSUER.public_key())


@pytest.mark.parametrize("der", [b"", b"\x30\x00", certificate()[:-1], certificate() + b"\0"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(DocumentError, match="not a certificate"):
        read_certificate(der)
    with pytest.raises(DocumentError, match="not a certificate"):
        is_issued_by(der, ISSUER.public_key())
