"""`gate central documents ...`: make the keys, publish, renew the root, and see what is published."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gate.central.db import DEFAULT_URL, open_database, reading, writing
from gate.central.document_changes import (
    add_people,
    read_visits,
    revoke_passes,
    standing,
    with_suspensions,
    with_visits,
    withdrawn,
)
from gate.central.document_root import ONLINE_ROLES, ROOT_DAYS, init_repository, renew_root, root_fingerprint
from gate.central.documents import DOCUMENT_DAYS, Published, publish, published
from gate.central.documents_broker import send_documents
from gate.central.health_facts import read_health, with_health
from gate.central.holiday_dates import with_holidays
from gate.central.people import revocations, roster_rows
from gate.clock import SystemClock
from gate.commands.broker_options import add_broker_options, broker_of
from gate.config import Mqtt
from gate.documents import ISSUERS, PACKS, PERMITS, QUOTAS, REVOCATIONS, ROSTER, SCHEDULES
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterRow
from gate.errors import UsageError
from gate.pack_files import read_pack
from gate.policy.health.pack import packs_from_json, packs_to_json
from gate.token_key import make_token_key, read_token_key
from gate.trust import Keyring, keyring_to_json, revocations_to_json
from gate.wire import is_id

HELP = "publish signed documents for the gates"
SCHEMA = "gate.published/1"
FINE, NOT_FINE = 0, 1
ROOT_WARN_DAYS = 60
NO_SCHEDULES = b'{"schema": "gate.schedules/1", "schedules": {}}'


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe every sub-command."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def command(name: str, summary: str, serve: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(serve=serve)
        sub.add_argument("--repo", type=Path, required=True, metavar="DIR", help="the folder that gates import")
        sub.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")
        return sub

    def keys(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--keys", type=Path, required=True, metavar="DIR", help="the folder of private keys")

    init = command("init", "make the keys, the site's token key and the first root", _init)
    keys(init)
    init.add_argument("--token-key", type=Path, required=True, metavar="FILE",
                      help="the key under which rosters hash codes; made if it is not there")
    init.add_argument("--root-keys", type=int, default=2, help="how many root keys to make (default: %(default)s)")
    init.add_argument("--root-threshold", type=int, default=1,
                      help="how many of them have to sign a change of keys (default: %(default)s)")

    publish_ = command("publish", "sign what gates shall know: people, withdrawals, issuers, hours", _publish)
    keys(publish_)
    publish_.add_argument("--db", default=DEFAULT_URL, metavar="URL", help="the people (default: %(default)s)")
    publish_.add_argument("--token-key", type=Path, required=True, metavar="FILE", help="the site's token key")
    publish_.add_argument("--issuers", type=Path, metavar="FILE", help="issuers.json; left out, the last one stays")
    publish_.add_argument("--schedules", type=Path, metavar="FILE",
                          help="schedules.json; left out, the last one stays")
    publish_.add_argument("--holidays", metavar="COUNTRY",
                          help="add to --schedules that country's holidays of this year and the next, e.g. VN")
    publish_.add_argument("--packs", nargs="*", metavar="PACK",
                          help="the policy packs, each a file or the name of a shipped one; left out, the last stay")
    publish_.add_argument("--health", type=Path, metavar="FILE",
                          help="health facts for the roster, one JSON object a line: {\"who\", \"record\"}")
    publish_.add_argument("--visits", type=Path, metavar="FILE",
                          help="who visits whom, one JSON object a line: {\"who\", \"host\", \"uses\"}")
    publish_.add_argument("--quotas", type=Path, metavar="FILE", help="quotas.json; left out, the last one stays")
    publish_.add_argument("--permits", type=Path, metavar="FILE", help="permits.json; left out, the last one stays")
    publish_.add_argument("--suspend", action="append", default=[], metavar="BUSINESS",
                          help="its people are denied from now on; may be repeated")
    publish_.add_argument("--resume", action="append", default=[], metavar="BUSINESS",
                          help="a suspended business may work again; may be repeated")
    publish_.add_argument("--people", type=Path, metavar="CSV", help="first add these people to the database")
    publish_.add_argument("--time-zone", type=ZoneInfo, default=ZoneInfo("Asia/Ho_Chi_Minh"), metavar="ZONE",
                          help="with --people: where days begin and end (default: %(default)s)")
    publish_.add_argument("--revoke-pass", action="append", default=[], metavar="NUMBER",
                          help="first withdraw this pass; may be repeated")
    publish_.add_argument("--revoke-key", action="append", default=[], metavar="KEY_ID",
                          help="withdraw this signing key, and so everything that it signed; may be repeated")
    publish_.add_argument("--reason", default="", help="with --revoke-pass: kept with the pass")
    publish_.add_argument("--keep-roster", action="store_true", help="leave the people as published last")
    publish_.add_argument("--whole-roster", action="store_true",
                          help="a new base for later changes; best at a quiet hour, since gates fetch all of it")
    publish_.add_argument("--site", metavar="SITE", help="with --broker: send it to that site's gates at once")
    add_broker_options(publish_, required=False)
    publish_.add_argument("--expires-days", type=int, default=DOCUMENT_DAYS,
                          help="after so many days gates refuse to import this set (default: %(default)s)")

    send = command("send", "send what is published to the gates of a site, over their broker", _send)
    keys(send)
    send.add_argument("--site", required=True, metavar="SITE", help="whose gates read it")
    send.add_argument("--anew", action="store_true", help="send also what the broker should hold already")
    add_broker_options(send)

    renew = command("renew-root", "sign the next root, for a later expiry or for new keys", _renew)
    keys(renew)
    renew.add_argument("--replace", action="append", default=[], choices=("root", *ONLINE_ROLES),
                       help="give this role a new key; may be repeated")
    renew.add_argument("--expires-days", type=int, default=ROOT_DAYS, help="(default: %(default)s)")

    command("status", "what is published, and until when; exit code 1 when something has expired", _status)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if getattr(args, "expires_days", 1) < 1:
        raise UsageError("--expires-days: at least 1")
    return int(args.serve(args))


def _init(args: argparse.Namespace) -> int:
    if args.token_key.exists():
        read_token_key(args.token_key)
    init_repository(args.repo, args.keys, _now(), root_keys=args.root_keys, root_threshold=args.root_threshold)
    if not args.token_key.exists():
        make_token_key(args.token_key)
    root, fingerprint = args.repo / "metadata" / "1.root.json", root_fingerprint(args.repo)
    if args.json:
        _print_json(root=str(root), fingerprint=fingerprint)
        return FINE
    _print(f"Root / gốc tin cậy: {root}\n  SHA-256 {fingerprint}\n"
           f"Copy it and {args.token_key} to each gate, and compare the fingerprint there.\n"
           f"Chép tệp này và {args.token_key} sang từng cổng, rồi so dấu vân SHA-256.\n"
           f"Keep {args.keys}/root*.pem off this machine / cất khóa root*.pem ở nơi khác.")
    return FINE


def _publish(args: argparse.Namespace) -> int:
    now, token_key = _now(), read_token_key(args.token_key)
    _check_publish(args)
    broker = broker_of(args) if args.broker else None
    first = not (args.repo / "metadata" / "timestamp.json").exists()
    if args.people or args.revoke_pass:
        with writing(open_database(args.db)) as session:
            revoke_passes(session, args.revoke_pass, now, args.reason or "withdrawn with a publication")
            if args.people:
                add_people(session, args.people, now, args.time_zone)
    with tempfile.TemporaryDirectory(dir=args.repo if args.repo.is_dir() else None, prefix=".draft-") as draft:
        documents: dict[str, Path] = {}

        def document(name: str, content: bytes) -> None:
            documents[name] = Path(draft) / name
            documents[name].write_bytes(content)

        with reading(open_database(args.db)) as session:
            document(REVOCATIONS, revocations_to_json(withdrawn(
                args.repo, revocations(session, now), args.revoke_key)))
            if args.packs is not None:
                document(PACKS, packs_to_json([read_pack(pack) for pack in args.packs]))
            if first or not args.keep_roster:
                documents[ROSTER] = Path(draft) / ROSTER
                rows: Iterable[RosterRow] = roster_rows(session)
                if args.health:
                    packs = packs_from_json(_packs_document(args.repo, documents))
                    rows = with_health(rows, read_health(args.health, packs))
                if args.visits:
                    rows = with_visits(rows, read_visits(args.visits, session))
                build_roster(documents[ROSTER], rows, token_key, _progress)
        if args.issuers or first:
            document(ISSUERS, _read(args.issuers) if args.issuers else keyring_to_json(Keyring()))
        if args.schedules or first:
            schedules = _read(args.schedules) if args.schedules else NO_SCHEDULES
            if args.holidays:
                schedules = with_holidays(schedules, args.holidays, (now.year, now.year + 1))
            document(SCHEDULES, schedules)
        if args.quotas:
            document(QUOTAS, _read(args.quotas))
        if args.permits or args.suspend or args.resume:
            permits = _read(args.permits) if args.permits else standing(args.repo, PERMITS)
            document(PERMITS, with_suspensions(permits, args.suspend, args.resume))
        result = publish(args.repo, args.keys, documents, token_key, now, days=args.expires_days,
                         whole_roster=args.whole_roster)
    _show(result, args)
    return _sent(args, broker) if broker else FINE


def _check_publish(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if args.holidays and not args.schedules:
        raise UsageError("--holidays: adds to --schedules FILE; give that too")
    if (args.broker is None) != (args.site is None):
        raise UsageError("--broker and --site go together: whose gates shall read it there?")
    if args.health and args.keep_roster:
        raise UsageError("--health: goes into a new roster; leave out --keep-roster")
    if (args.visits or args.people) and args.keep_roster:
        raise UsageError("--visits and --people go into a new roster; leave out --keep-roster")


def _send(args: argparse.Namespace) -> int:
    return _sent(args, broker_of(args))


def _sent(args: argparse.Namespace, broker: Mqtt) -> int:
    if not is_id(args.site):
        raise UsageError("--site: a name is made of a-z, 0-9 and hyphens")
    sent = send_documents(args.repo, args.keys, broker, args.site, SystemClock(), anew=getattr(args, "anew", False))
    if args.json:
        _print_json(sent_bytes=sent.payload_bytes, files=sent.files)
    else:
        _print(f"Sent / đã gửi: {len(sent.files)} files, {sent.payload_bytes} bytes -> {broker.host}, {args.site}")
    return FINE


def _packs_document(repo: Path, drafts: Mapping[str, Path]) -> bytes:
    """The packs that this publication makes, or those that stand."""
    if PACKS in drafts:
        return drafts[PACKS].read_bytes()
    standing = published(repo).targets if (repo / "metadata" / "timestamp.json").exists() else {}
    if PACKS not in standing:
        raise UsageError("--health: no packs are published, so no rule would look at it; give --packs too")
    return (repo / "targets" / f"{standing[PACKS]}.{PACKS}").read_bytes()


def _renew(args: argparse.Namespace) -> int:
    version = renew_root(args.repo, args.keys, _now(), replace=args.replace, root_days=args.expires_days)
    if args.json:
        _print_json(root_version=version)
    else:
        _print(f"Root version {version} is published / đã ký gốc phiên bản {version}.")
        if args.replace:
            _print("Publish now: gates refuse what the old keys signed / hãy publish ngay.")
    return FINE


def _status(args: argparse.Namespace) -> int:
    result = published(args.repo)
    _show(result, args)
    return NOT_FINE if min(result.expires_at.values()) <= _now() else FINE


def _show(result: Published, args: argparse.Namespace) -> None:
    if args.json:
        _print_json(fingerprint=root_fingerprint(args.repo), **msgspec.to_builtins(result))
        return
    _print(f"{args.repo}: published {_minute(result.published_at)} / công bố lúc")
    for role, version in result.versions.items():
        days = (result.expires_at[role] - _now()).days
        warning = "  renew soon / sắp hết hạn" if days < (ROOT_WARN_DAYS if role == "root" else 3) else ""
        _print(f"  {role:<10} version {version:<5} until {_minute(result.expires_at[role])} ({days} days){warning}")
    for name, sha256 in result.targets.items():
        _print(f"  {name:<17} {sha256[:16]}…")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _progress(holders: int) -> None:
    print(f"roster: {holders:,} people / người", file=sys.stderr)  # noqa: T201  (a command speaks)


def _print(text: str) -> None:
    print(text)  # noqa: T201  (a command speaks)


def _print_json(**fields: Any) -> None:
    _print(msgspec.json.encode({"schema": SCHEMA, **fields}).decode())


def _minute(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
