"""What each `gate central issue` sub-command does: takes its parsed options, prints, and gives the exit code."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gate.central.db import open_database, reading, writing
from gate.central.db.models import Identifier, Pass, Person
from gate.central.issuing import (
    CLOCK_LEEWAY,
    DAYS_MAX,
    find_pass,
    issue,
    issue_number,
    last_moment,
    number_digits,
    read_phone_key,
    revoke,
    revoke_number,
)
from gate.central.keys import enter_key, load_signing_key, make_private_key, read_issuers
from gate.central.pass_files import Carried, staging, write_files
from gate.central.people import find_person, import_people
from gate.errors import UsageError
from gate.order import Role
from gate.trust import Key, key_id, kid_of
from gate.wire import is_id

YES, NO = 0, 1


def make_key(args: argparse.Namespace) -> int:
    """Make a private key and enter its public half."""
    if not is_id(args.issuer):
        raise UsageError(f"--issuer {args.issuer!r}: an id has a-z, 0-9 and hyphens")
    if args.days is not None and not 1 <= args.days <= DAYS_MAX:
        raise UsageError(f"--days {args.days}: a key lives for 1 to {DAYS_MAX} days")
    if (args.role is not None) is not (args.purpose == "operator"):
        raise UsageError("--role and --purpose operator go together")
    now, issuers = _now(), _issuers(args, args.out)
    if issuers.exists():
        read_issuers(issuers)  # before there is a key that cannot be entered
    public_key = make_private_key(args.out, _passphrase(args)).public_key()
    key = Key(
        kid_of(public_key), public_key, args.issuer, args.purpose, args.country, valid_from_at=now - CLOCK_LEEWAY,
        valid_until_at=now + timedelta(days=args.days) if args.days else None, issuer_name=args.name,
        role=Role[(args.role or "viewer").upper()],
    )
    enter_key(issuers, key)
    _say(args, f"{args.out}: the private key; keep it secret, and a copy in a safe place\n"
               f"{issuers}: has its public half ({args.issuer}, {args.purpose}); gates believe it once published",
         {"schema": "gate.issued-key/1", "key_id": key_id(key.kid), "issuer": args.issuer, "purpose": args.purpose,
          "private_key": str(args.out), "issuers": str(issuers)})
    return YES


def import_csv(args: argparse.Namespace) -> int:
    """Import people; every fault is told on stderr."""
    with writing(open_database(args.db)) as session:
        report = import_people(session, args.csv, now=_now(), zone=args.time_zone, skip_bad=args.skip_bad,
                               progress=lambda lines: _tell(f"{lines} lines read ..."))
    if report.ignored_headings:
        _tell(f"{args.csv}: warning: headings that mean nothing here: {', '.join(report.ignored_headings)}")
    for warning in report.warnings:
        _tell(f"{args.csv}: warning: {warning}")
    for problem in report.problems:
        _tell(f"{args.csv}: {problem}")
    text = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.bad} left out"
    if not report.imported:
        text = f"nothing imported: {report.bad} bad lines; correct them, or leave them out with --skip-bad"
    counts = {name: getattr(report, name) for name in ("imported", "added", "updated", "unchanged", "bad")}
    _say(args, text, {"schema": "gate.imported-people/1", **counts})
    return YES if report.imported else NO


def sign_passes(args: argparse.Namespace) -> int:
    """Sign passes and write their files; either all of them are issued and written, or none."""
    if args.kinds and args.out is None:
        raise UsageError("--png, --svg and --card need a folder: --out DIR")
    phone_point = _phone_point(args)
    now, zone = _now(), args.time_zone
    until = last_moment(now, args.days, zone)
    key = load_signing_key(args.key, _issuers(args, args.key), "pass", now, _passphrase(args))
    issuer = key.key.issuer_name or key.key.issuer or ""
    holding = select(Pass.person_id).where(
        Pass.person_id.is_not(None), Pass.revoked_at.is_(None), Pass.valid_until > now)
    batch: list[Carried] = []
    files: list[str] = []
    with ExitStack() as stack:
        # Left in reverse: first the database keeps what was issued, then the files appear.
        folder = stack.enter_context(staging(args.out)) if args.out else None
        session = stack.enter_context(writing(open_database(args.db)))
        for person in _chosen(session, args, Person.id.not_in(holding), now):
            issued = issue(session, key, person, now=now, valid_until=until, phone_point=phone_point)
            batch.append(Carried(issued, person.full_name, person.company, issuer))
        if folder and batch:
            files = write_files(folder, batch, kinds=frozenset(args.kinds or ["png"]), zone=zone, now=now,
                                progress=lambda passes: _tell(f"{passes} of {len(batch)} passes drawn ..."))
    for issued in (carried.issued for carried in batch):
        link = f"{args.page}#{quote(issued.text, safe='')}" if args.page else ""
        _say(args, None if args.out else link or issued.text, {
            "schema": "gate.issued-pass/1", "cti": issued.cti, "holder": issued.holder, "text": issued.text,
            **({"link": link} if link else {}),
            "valid_from": issued.valid_from.isoformat(), "valid_until": issued.valid_until.isoformat()})
    _tell(f"passes issued: {len(batch)}" + (f"; {len(files)} files in {args.out}" if args.out else ""))
    return YES


def give_numbers(args: argparse.Namespace) -> int:
    """Give number codes and print them: this is the only time that they are shown."""
    with writing(open_database(args.db)) as session:
        digits = number_digits(session, args.digits)
        having = select(Identifier.person_id).where(Identifier.kind == "number")
        given = [(person.holder, person.full_name, issue_number(session, person, digits))
                 for person in _chosen(session, args, Person.id.not_in(having), _now())]
    for holder, full_name, number in given:
        _say(args, f"{number}  {full_name}", {"schema": "gate.issued-number/1", "holder": holder, "number": number})
    _tell(f"number codes given: {len(given)}; gates know them after the next publication")
    return YES


def withdraw(args: argparse.Namespace) -> int:
    """Withdraw one pass, or everything that a person was issued."""
    with writing(open_database(args.db)) as session:
        person = find_person(session, args.person) if args.person else None
        passes = person.passes if person else [find_pass(session, args.cti)]
        withdrawn = revoke(passes, now=_now(), reason=args.reason)
        number = revoke_number(person) if person else False
    _say(args, f"withdrawn: {len(withdrawn)} passes{' and the number code' * number}; "
               "gates know it after the next publication",
         {"schema": "gate.revoked/1", "passes": withdrawn, "number": number})
    return YES if withdrawn or number else NO


def show_people(args: argparse.Namespace) -> int:
    """List the people; number codes are not shown again."""
    with reading(open_database(args.db)) as session:
        for person in session.scalars(select(Person).order_by(Person.id).execution_options(yield_per=500)):
            kinds = [identifier.kind for identifier in person.identifiers]
            _say(args, f"{person.holder}  {person.full_name}  {person.company or '-'}  {' '.join(kinds)}", {
                "schema": "gate.person/1", "holder": person.holder, "full_name": person.full_name,
                "company": person.company, "areas": person.areas, "identifiers": kinds})
    return YES


def show_passes(args: argparse.Namespace) -> int:
    """List the passes that were issued."""
    with reading(open_database(args.db)) as session:
        for issued in session.scalars(select(Pass).order_by(Pass.id).execution_options(yield_per=500)):
            holder = issued.person.holder if issued.person else "-"
            state, at = ("withdrawn", issued.revoked_at) if issued.revoked_at else ("ends", issued.valid_until)
            _say(args, f"{issued.cti}  {holder:26}  {state} {at.astimezone(args.time_zone):%d/%m/%Y %H:%M}", {
                "schema": "gate.pass/1", "cti": issued.cti, "holder": holder, "key_id": issued.key_id,
                "valid_until": issued.valid_until.isoformat(), "revoked": issued.revoked_at is not None})
    return YES


def _chosen(
    session: Session, args: argparse.Namespace, missing: ColumnElement[bool], now: datetime,
) -> Iterable[Person]:
    """The people whom --person, --missing or --all mean; the last two leave out those whose validity is over."""
    if args.person:
        return [find_person(session, word) for word in args.person]
    query = select(Person).where(Person.valid_until.is_(None) | (Person.valid_until > now)).order_by(Person.id)
    return session.scalars(query.where(missing) if args.missing else query)


def _phone_point(args: argparse.Namespace) -> bytes:
    """The key that --phone names, or nothing for a pass that anybody may carry."""
    if args.phone is None:
        if args.page:
            raise UsageError("--page is for a pass on a phone: give its key with --phone FILE")
        return b""
    if args.out or args.kinds or not (args.person and len(args.person) == 1):
        raise UsageError("--phone is one person's phone: give --person once, and no --out: the phone draws the code")
    try:
        return read_phone_key(args.phone.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--phone {args.phone}: {error}") from error


def _issuers(args: argparse.Namespace, key_path: Path) -> Path:
    return args.issuers or key_path.with_name("issuers.json")


def _passphrase(args: argparse.Namespace) -> bytes | None:
    if args.passphrase_file is None:
        return None
    if args.passphrase_file == Path("-"):
        passphrase = getpass.getpass("Passphrase of the private key: ")
    else:
        try:
            passphrase = args.passphrase_file.read_text("utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--passphrase-file {args.passphrase_file}: {error}") from error
    if not passphrase:
        raise UsageError("the passphrase is empty; write one, or leave out --passphrase-file")
    return passphrase.encode()


def _now() -> datetime:
    return datetime.now(UTC)


def _say(args: argparse.Namespace, text: str | None, record: dict[str, Any]) -> None:
    """One answer on stdout: for people, or for programs."""
    if args.json:
        print(json.dumps(record, ensure_ascii=False))  # noqa: T201  (a command prints its answer)
    elif text is not None:
        print(text)  # noqa: T201


def _tell(text: str) -> None:
    """A remark beside the answer, on stderr."""
    print(text, file=sys.stderr)  # noqa: T201
