"""What people are given: signed passes, number codes, and the withdrawal of both."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gate.central.db.models import Identifier, Pass, Person
from gate.central.keys import SigningKey
from gate.cose_key import compressed
from gate.decoder import gp1, number_code
from gate.errors import DocumentError, MalformedError, UsageError
from gate.jwk import public_key_from_jwk
from gate.model import Claims
from gate.strict_json import read_json_object

PASS_ID_BYTES = gp1.PASS_ID_BYTES.start
CLOCK_LEEWAY = timedelta(minutes=5)
"""A new pass is valid from so long ago, for a gate whose clock runs behind."""
DAYS_MAX = 3660


@dataclass(frozen=True, slots=True)
class IssuedPass:
    """A pass as it leaves: `text` is what its QR holds and is kept nowhere else."""

    text: str
    cti: str
    holder: str
    valid_from: datetime
    valid_until: datetime


def last_moment(now: datetime, days: int, zone: tzinfo) -> datetime:
    """The end of the local day that lies `days` after today: people read validity as whole days.

    Raises:
        UsageError: not between 0 and `DAYS_MAX`.
    """
    if not 0 <= days <= DAYS_MAX:
        raise UsageError(f"--days {days}: a pass is valid for 0 (today) to {DAYS_MAX} days")
    day = now.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def issue(
    session: Session, key: SigningKey, person: Person, *, now: datetime, valid_until: datetime,
    areas: Iterable[str] | None = None, roles: Iterable[str] | None = None, phone_point: bytes = b"",
) -> IssuedPass:
    """Sign a pass for `person` and note that it exists; areas and roles are the person's own unless given.

    It is never valid outside the person's or the key's own time. With the `phone_point` of a phone's key (see
    `read_phone_key`) only that phone can show it.

    Raises:
        UsageError: no time is left to it, or it does not fit its QR.
    """
    starts = (now - CLOCK_LEEWAY, person.valid_from, key.key.valid_from_at)
    ends = (valid_until, person.valid_until, key.key.valid_until_at)
    first = max(moment for moment in starts if moment).replace(microsecond=0)
    last = min(moment for moment in ends if moment).replace(microsecond=0)
    if last <= max(now, first):
        raise UsageError(f"holder {person.holder}: no time is left for a pass (it would end {last.isoformat()}); "
                         "prolong the person's validity first")
    claims = Claims(
        issuer=key.key.issuer or "", subject=person.holder, key_id=key.key_id,
        pass_id=secrets.token_hex(PASS_ID_BYTES), valid_from_at=first, valid_until_at=last,
        areas=frozenset(person.areas if areas is None else areas),
        roles=frozenset(person.roles if roles is None else roles), phone_point=phone_point,
    )
    text = gp1.issue_pass(claims, key.private_key)
    session.add(Pass(cti=claims.pass_id, person_id=person.id, key_id=key.key_id, issued_at=now, valid_from=first,
                     valid_until=last))
    return IssuedPass(text, claims.pass_id, person.holder, first, last)


def read_phone_key(jwk_text: str) -> bytes:
    """The point of the public key that a phone's page shows, as JWK (WebCrypto's export of ECDSA on P-256).

    Raises:
        UsageError: no such key.
    """
    try:
        key = public_key_from_jwk(read_json_object(jwk_text.encode()))
    except (MalformedError, DocumentError) as error:
        raise UsageError(f"the phone's key: {error}") from error
    if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise UsageError("the phone's key is not on P-256; copy it from the page that the phone shows")
    return compressed(key)


def number_digits(session: Session, digits: int | None = None) -> int:
    """How many digits, check digit included, new number codes have: enough for all people, or `digits` if enough.

    Raises:
        UsageError: `digits` would leave fewer than 10,000 possible codes to each person.
    """
    people = session.scalar(select(func.count()).select_from(Person)) or 0
    try:
        needed = number_code.random_digits_needed(max(people, 1)) + 1
    except ValueError as error:
        raise UsageError(str(error)) from error
    if digits is None:
        return needed
    if not needed <= digits <= number_code.DIGITS_MAX:
        raise UsageError(f"--digits {digits}: {people} people need {needed} to {number_code.DIGITS_MAX} digits, so "
                         f"that each has at least {number_code.CODES_PER_HOLDER:,} possible codes")
    return digits


def issue_number(session: Session, person: Person, digits: int) -> str:
    """Give `person` a new random number code of `digits` digits; the one they had stops counting."""
    while True:
        number = number_code.new_number("".join(secrets.choice("0123456789") for _ in range(digits - 1)))
        taken = select(Identifier.id).where(Identifier.kind == number_code.NAME, Identifier.value == number)
        if session.scalar(taken) is None:
            break
    for identifier in person.identifiers:
        if identifier.kind == number_code.NAME:
            identifier.value = number
            break
    else:
        person.identifiers.append(Identifier(kind=number_code.NAME, value=number))
    return number


def revoke(passes: Iterable[Pass], *, now: datetime, reason: str) -> list[str]:
    """Withdraw those of `passes` that still count, and give their ids; gates learn it from the next publication."""
    withdrawn = [each for each in passes if each.revoked_at is None and each.valid_until > now]
    for each in withdrawn:
        each.revoked_at, each.revoke_reason = now, reason
    return [each.cti for each in withdrawn]


def revoke_number(person: Person) -> bool:
    """Take the person's number code away; whether there was one."""
    numbers = [identifier for identifier in person.identifiers if identifier.kind == number_code.NAME]
    for identifier in numbers:
        person.identifiers.remove(identifier)
    return bool(numbers)


def find_pass(session: Session, cti: str) -> Pass:
    """The pass of that id, as printed on its card: spaces and case do not matter.

    Raises:
        UsageError: no pass of that id was issued here.
    """
    found = session.scalar(select(Pass).where(Pass.cti == "".join(cti.split()).lower()))
    if found is None:
        raise UsageError("no pass of that number was issued here; `gate central issue passes` shows them")
    return found
