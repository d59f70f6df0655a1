"""Fuzz targets for files that are brought to a gate: config, documents, keys, certificates, rosters, ledgers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tuf.api.metadata import Metadata

from gate.certificates import is_issued_by, read_certificate
from gate.config.reading import Report, check
from gate.documents import ISSUERS, ROSTER, read_document
from gate.documents.importing import TARGET_MAX_BYTES
from gate.documents.roster_file import RosterFile, check_roster
from gate.documents.tuf_client import refusing
from gate.errors import DocumentError, MalformedError, StoreError
from gate.jwk import public_key_from_jwk, public_key_to_jwk, thumbprint
from gate.ledger import LedgerReader
from gate.strict_json import read_json_object
from gate.trust import keyring_from_json, keyring_from_trust_list, keyring_to_json

from .target import Target

TOKEN_KEY = bytes(range(32))
AUTHORITIES = (ec.generate_private_key(ec.SECP256R1()).public_key(),
               rsa.generate_private_key(65_537, 2048).public_key())
"""Authorities that have issued no certificate."""
MEMORY = Path("/dev/shm")

Result = TypeVar("Result")


def in_a_file(read: Callable[[Path], Result]) -> Callable[[bytes], Result]:
    """Reads from a file in memory."""
    folder = tempfile.mkdtemp(prefix="gate-fuzz-", dir=MEMORY if MEMORY.is_dir() else None)
    path = Path(folder, "file")

    def read_file(data: bytes) -> Result:
        path.write_bytes(data)
        return read(path)

    return read_file


def is_config_or_faulty(_data: bytes, report: Report) -> None:
    """There is a config, or an error that says where; never both, never neither."""
    errors = report.lines(warnings=False)
    assert (report.config is None) is bool(errors)
    assert all(":" in line for line in errors)


def read_roster(path: Path) -> RosterFile:
    """As the importer does, then as the gate does."""
    check_roster(path, TOKEN_KEY)
    return RosterFile(path, TOKEN_KEY)


def answers(_data: bytes, roster: RosterFile) -> None:
    """A roster that the importer let through answers, or says that it is damaged."""
    with closing(roster):
        for number in ("1", "2", "3"):
            with suppress(DocumentError):
                roster.find((f"number:{number}", f"cccd:{number}"))
            with suppress(DocumentError):
                roster.holder(f"h{number}")


def is_published_again(_data: bytes, keyring: Any) -> None:
    """Written and read again, it holds the same keys."""
    assert len(keyring_from_json(keyring_to_json(keyring)).keys) == len(keyring.keys)


def jwk(data: bytes) -> Any:
    """A key in a strict JSON object."""
    return public_key_from_jwk(read_json_object(data))


def is_key(_data: bytes, key: Any) -> None:
    """A key has one JWK, and so one thumbprint."""
    assert thumbprint(public_key_from_jwk(public_key_to_jwk(key))) == thumbprint(key)


def certificate(der: bytes) -> list[bool]:
    """Its signer, and which of our authorities it comes from."""
    read_certificate(der)
    return [is_issued_by(der, authority) for authority in AUTHORITIES]


def comes_from_nobody(_der: bytes, issued: list[bool]) -> None:
    """Our authorities have issued none."""
    assert not any(issued)


def tuf_metadata(data: bytes) -> Metadata[Any]:
    """A part of The Update Framework's, of any role."""
    with refusing():
        return Metadata.from_bytes(data)


def prove_ledger(path: Path) -> Iterator[Any]:
    """A ledger that somebody hands on, as `gate events verify` and `gate events export` read it."""
    reader = LedgerReader(path)
    try:
        reader.prove()
        return iter([msgspec.json.encode(row.hash.hex()) for row in reader.all_rows()])
    finally:
        reader.close()


DOCUMENT_WORDS = tuple(b'"%s"' % word.encode() for word in (
    "schema", "gate.issuers/1", "keys", "kid", "jwk", "certificate", "purpose", "valid_from", "2026-01-01T00:00:00Z",
    "crv", "P-256", "Ed25519", "RSA", "mon", "holiday", "06:00", "24:00", "Rules", "if", "var", "reduce", "and",
))

TARGETS = (
    Target("config", in_a_file(lambda path: check(path, files=False)), (), is_config_or_faulty, 8192,
           (b"driver:", b"readers:", b"- ", b"  ", b"&a", b"*a", b"!!", b"|-", b"? ", b"---", b"...", b"\xef\xbb\xbf")),
    Target("roster", in_a_file(read_roster), (DocumentError,), answers, 65_536),
    Target("ledger", in_a_file(prove_ledger), (StoreError, MalformedError), max_bytes=65_536),
    Target("issuers", keyring_from_json, (DocumentError,), is_published_again, words=DOCUMENT_WORDS),
    Target("trust_list", keyring_from_trust_list, (DocumentError,), words=DOCUMENT_WORDS),
    *(Target(name.removesuffix(".json"), partial(read_document, name), (DocumentError,), max_bytes=16_384,
             words=DOCUMENT_WORDS) for name in sorted(TARGET_MAX_BYTES) if name not in (ROSTER, ISSUERS)),
    Target("jwk", jwk, (DocumentError, MalformedError), is_key, words=DOCUMENT_WORDS),
    Target("certificates", certificate, (DocumentError,), comes_from_nobody),
    Target("tuf", tuf_metadata, (DocumentError,), words=(b'"_type"', b'"signed"', b'"signatures"', b'"spec_version"')),
)
