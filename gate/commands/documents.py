"""`gate documents import DIR`, `fetch` and `status`: what this gate believes, and how it comes to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gate.errors import DocumentError, UsageError

if TYPE_CHECKING:
    from gate.config import Clock, Config
    from gate.documents import SetNote
    from gate.documents.roads import Road

HELP = "import a signed set of documents, or show what is in force"
SCHEMA = "gate.documents/1"
YES, NO = 0, 1


class Beliefs(NamedTuple):
    """Where a gate keeps what it believes, and what that begins with."""

    state_dir: Path
    root_file: Path
    token_key_file: Path
    clock: Clock


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the two sub-commands."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    importing = commands.add_parser(
        "import", help="verify a published folder and put it in force",
        description="Verify a published folder and put it in force. Exit code 1: refused; what was in force stays.",
    )
    importing.add_argument("source", type=Path, metavar="DIR", help="the folder that holds metadata/ and targets/")
    importing.add_argument("--root", type=Path, metavar="FILE", help="where trust begins (with --state)")
    importing.add_argument("--token-key", type=Path, metavar="FILE", help="the site's token key (with --state)")
    fetching = commands.add_parser(
        "fetch", help="the same over the road that the config names (the daemon runs this)",
        description="Verify what lies at the end of `documents.road` and put it in force, at a low priority. Exit code "
                    "1: refused; what was in force stays.",
    )
    fetching.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gate's config")
    fetching.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")
    status = commands.add_parser(
        "status", help="what is in force, and what was refused",
        description="What is in force, and what was refused. Exit code 1: nothing, or the last import was refused.",
    )
    for sub in (importing, status):
        gate = sub.add_mutually_exclusive_group(required=True)
        gate.add_argument("--config", type=Path, metavar="FILE", help="the gate's config")
        gate.add_argument("--state", type=Path, metavar="DIR", help="the gate's state_dir, without a config")
        sub.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Import, fetch or show."""
    return {"import": _import, "fetch": _fetch, "status": _status}[args.what](args)


def _import(args: argparse.Namespace) -> int:
    from gate.documents.roads import FolderRoad

    if args.config:
        from gate.config.reading import load

        beliefs = _beliefs_of(load(args.config))
    elif args.root and args.token_key:
        from gate.config import Clock

        beliefs = Beliefs(args.state, args.root, args.token_key, Clock())
    else:
        raise UsageError("--state: needs --root FILE and --token-key FILE too; or give --config FILE")
    return _take_in(args, FolderRoad(args.source), beliefs)


def _fetch(args: argparse.Namespace) -> int:
    from gate.config.reading import load
    from gate.documents.fetching import low_priority, road_of

    low_priority()
    settings = load(args.config)
    with road_of(settings) as road:
        return _take_in(args, road, _beliefs_of(settings), reread=False)


def _beliefs_of(settings: Config) -> Beliefs:
    return Beliefs(settings.state_dir, settings.documents.root_file, settings.site.token_key_file, settings.clock)


def _take_in(args: argparse.Namespace, road: Road, gate: Beliefs, *, reread: bool = True) -> int:
    from gate.documents.importing import import_documents
    from gate.lane_settings import clock_of
    from gate.token_key import read_token_key

    try:
        done = import_documents(road, gate.state_dir, gate.root_file, read_token_key(gate.token_key_file),
                                clock_of(gate.clock).now(), reread=reread)
    except DocumentError as error:
        if args.json:
            _print_json(imported=False, problem=str(error))
        print(f"Từ chối / refused: {error}\nBộ tài liệu đang dùng được giữ nguyên / what was in force stays.",
              file=sys.stderr)
        return NO
    if args.json:
        _print_json(imported=True, changed=done.changed, left_out=_left_out(done.folder),
                    **msgspec.to_builtins(done.note))
    else:
        print("Đã áp dụng / in force:" if done.changed else "Đã áp dụng từ trước / in force already:")
        _show(done.note, _left_out(done.folder))
    return YES


def _status(args: argparse.Namespace) -> int:
    from gate.documents import read_refusal, read_set_note, set_in_force

    if args.config:
        from gate.config.reading import load

        state = load(args.config).state_dir
    else:
        state = args.state
    folder, refusal = set_in_force(state), read_refusal(state)
    note, left_out = (read_set_note(folder), _left_out(folder)) if folder else (None, [])
    if args.json:
        _print_json(in_force=msgspec.to_builtins(note), refused=msgspec.to_builtins(refusal), left_out=left_out)
    else:
        print("Đang áp dụng / in force:" if note else "Chưa có tài liệu nào / nothing is in force yet")
        if note:
            _show(note, left_out)
        if refusal:
            print(f"Lần nhập gần nhất bị từ chối / the last import was refused, {refusal.at:%Y-%m-%d %H:%M:%SZ}:\n"
                  f"  {refusal.problem}")
    return YES if note and not refusal else NO


def _left_out(folder: Path) -> list[str]:
    """Keys of the issuers in force that this gate cannot use, and why."""
    from gate.documents import ISSUERS, read_document

    return list(read_document(ISSUERS, (folder / ISSUERS).read_bytes()).left_out)


def _show(note: SetNote, left_out: list[str]) -> None:
    versions = ", ".join(f"{role} {version}" for role, version in note.versions.items())
    print(f"  {versions}\n  công bố / published {note.published_at.astimezone():%Y-%m-%d %H:%M %Z}\n"
          f"  nhập được đến / may be imported until {note.expires_at.astimezone():%Y-%m-%d %H:%M %Z}")
    for name, sha256 in note.targets.items():
        print(f"  {name:<17} {sha256[:16]}…")
    for why in left_out:
        print(f"  khóa bị bỏ qua / key left out: {why}")


def _print_json(**fields: Any) -> None:
    # A set's own schema name would hide that of this answer.
    print(msgspec.json.encode({**fields, "schema": SCHEMA}).decode())
