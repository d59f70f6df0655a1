"""`gate restore FILE`: a machine that is no gate yet becomes the one that was backed up, with a new epoch."""

from __future__ import annotations

import argparse
import json
import tarfile
from pathlib import Path

from gate.errors import GateError, UsageError

SCHEMA = "gate.restored/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `gate backup` made")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="DIR",
                        help="put everything below this folder (/), for instance a card of another machine")
    parser.add_argument("--dry-run", action="store_true", help="only say what it would put where")
    parser.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Do it; nothing that is there already is touched."""
    from gate.backup import read_manifest, restore

    try:
        with tarfile.open(args.file, "r:gz") as archive:
            manifest = read_manifest(archive)
            left = None if args.dry_run else restore(archive, manifest, args.root)
    except GateError:
        raise
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UsageError(f"{args.file}: no backup can be read from it ({error})") from error
    if args.json:
        print(json.dumps({"schema": SCHEMA, "site": manifest.site, "gate": manifest.gate, "config": manifest.config,
                          "made_at": manifest.made_at.isoformat(), "dry_run": args.dry_run, "unacknowledged": left}))
        return 0
    done = "sẽ khôi phục / would restore" if args.dry_run else "đã khôi phục / restored"
    print(f"{done}: {manifest.site}/{manifest.gate}, {manifest.made_at:%Y-%m-%d %H:%M} UTC")
    for path in (*(kept.path for kept in manifest.files), manifest.state_dir):
        print(f"  {path}")
    if left:
        print(f"{left} events of before were not acknowledged: `gate events export --ledger "
              f"{manifest.state_dir}/ledger-until-...db`; the machine before may still hold later ones")
    if not args.dry_run:
        print(f"next: gate check --config {manifest.config}; systemctl enable --now gate")
    return 0
