"""Checks of what the gate believes by: certificates and documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from gate.config import Config
from gate.doctor.finding import Finding, Machine
from gate.documents import load_documents
from gate.errors import GateError
from gate.token_key import read_token_key

SOON = timedelta(days=30)


def check_certificates(settings: Config, machine: Machine) -> Iterator[Finding]:
    """Nothing that TLS needs has run out, or will within SOON."""
    tls = settings.mqtt.tls if settings.mqtt is not None else None
    for path in (tls.ca, tls.certificate) if tls is not None else ():
        if path is None:
            continue
        try:
            certificates = x509.load_pem_x509_certificates(machine.path(path).read_bytes())
        except ValueError:
            yield Finding("fault", f"{path} is no certificate", "damaged, or another file",
                          "ask for it anew, in PEM form")
            continue
        left = min(certificate.not_valid_after_utc for certificate in certificates) - datetime.now(UTC)
        if left < SOON:
            over = left < timedelta(0)
            seen = f"{path} has run out" if over else f"{path} runs out in {left.days} days"
            yield Finding("fault" if over else "doubt", seen, "certificates end",
                          "ask the broker's administrator for the next one")


def check_documents(settings: Config, machine: Machine) -> Iterator[Finding]:
    """A verified set is in force."""
    try:
        documents = load_documents(machine.path(settings.state_dir),
                                   read_token_key(machine.path(settings.site.token_key_file)))
    except GateError as error:
        yield Finding("fault", f"the documents cannot be used: {error}", "damaged, or of another site's key",
                      "gate documents import DIR --config FILE")
        return
    if not documents.versions:
        yield Finding("fault", "no documents are in force", "none was ever imported: nobody is known",
                      "gate documents import DIR --config FILE")
