"""What somebody on the way may do to published documents: attacks on a site's repository, and each one's fault."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from support_documents import NOON, Site

from gate.central.document_root import renew_root
from gate.documents import ISSUERS, REVOCATIONS, ROSTER, SCHEDULES
from gate.documents.importing import TARGET_MAX_BYTES
from gate.documents.roster_builder import build_roster


def contents(site: Site) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in site.draft("mallory").items()}


def target_of(site: Site, name: str, *, gone: bool = False) -> Path:
    body = json.loads(max((site.repo / "metadata").glob("*.targets.json")).read_bytes())
    path = site.repo / "targets" / f"{body['signed']['targets'][name]['hashes']['sha256']}.{name}"
    assert gone or path.exists()
    return path


def stored_root(site: Site) -> bytes:
    return (site.state / "documents" / "trust" / "root_history" / "1.root.json").read_bytes()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _replace(source: Path, destination: Path) -> None:
    shutil.rmtree(destination)
    shutil.copytree(source, destination)


def older_folder(site: Site) -> None:
    shutil.copytree(site.repo, site.folder / "old")
    site.publish("binh", days=1)
    site.take_in()
    shutil.rmtree(site.repo)
    (site.folder / "old").rename(site.repo)


def _older_snapshot_under_a_new_timestamp(site: Site) -> None:
    site.publish("an", days=1)
    site.take_in()
    site.sign_unchecked(contents(site), versions=(1, 1, 3))


def _older_targets_under_a_new_snapshot(site: Site) -> None:
    site.publish("an", days=1)
    site.take_in()
    site.sign_unchecked(contents(site), versions=(1, 3, 3))


def _other_publisher(site: Site) -> None:
    forger = Site(_made(site.folder / "forger")).init()
    forger.publish("mallory")
    forger.publish("mallory")
    # Its root is not there: the gate goes on with its own.
    _replace(forger.repo, site.repo)
    (site.repo / "metadata" / "1.root.json").write_bytes(stored_root(site))


def _forged_next_root(site: Site) -> None:
    forger = Site(_made(site.folder / "forger")).init()
    renew_root(forger.repo, forger.keys, NOON)
    forger.publish("mallory")
    _replace(forger.repo, site.repo)
    (site.repo / "metadata" / "1.root.json").write_bytes(stored_root(site))


def _changed_timestamp(site: Site) -> None:
    path = site.repo / "metadata" / "timestamp.json"
    body = json.loads(path.read_bytes())
    body["signed"]["version"] = 99
    path.write_text(json.dumps(body))


def _parts_of_two_sets(site: Site) -> None:
    site.publish("binh", days=1)
    shutil.copy(site.repo / "metadata" / "1.targets.json", site.repo / "metadata" / "2.targets.json")


def _timestamp_that_names_another_snapshot(site: Site) -> None:
    site.sign_unchecked(contents(site), versions=(2, 2, 2), snapshot_of=3)
    shutil.copy(site.repo / "metadata" / "2.snapshot.json", site.repo / "metadata" / "3.snapshot.json")


def _wrong_target(site: Site) -> None:
    site.publish("binh")
    path = target_of(site, ROSTER)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _endless_target(site: Site) -> None:
    site.publish("binh")
    os.truncate(target_of(site, ROSTER), 1 << 40)


def _short_target(site: Site) -> None:
    site.publish("binh")
    os.truncate(target_of(site, ROSTER), 1000)


def _endless_timestamp(site: Site) -> None:
    os.truncate(site.repo / "metadata" / "timestamp.json", 1 << 40)


def _target_is_a_pipe(site: Site) -> None:
    site.publish("binh")
    target_of(site, ROSTER).unlink()
    os.mkfifo(target_of(site, ROSTER, gone=True))


def _target_is_a_link(site: Site) -> None:
    site.publish("binh")
    target_of(site, ROSTER).unlink()
    target_of(site, ROSTER, gone=True).symlink_to("/dev/zero")


def _missing_target(site: Site) -> None:
    site.publish("binh")
    target_of(site, ROSTER).unlink()


def _missing_timestamp(site: Site) -> None:
    (site.repo / "metadata" / "timestamp.json").unlink()


def _missing_targets_metadata(site: Site) -> None:
    site.publish("binh")
    (site.repo / "metadata" / "2.targets.json").unlink()


def _unlisted_target(site: Site) -> None:
    listed = contents(site)
    del listed[SCHEDULES]
    site.sign_unchecked(listed, versions=(2, 2, 2))


def _signed(name: str, content: bytes) -> Callable[[Site], None]:
    return lambda site: site.sign_unchecked({**contents(site), name: content}, versions=(2, 2, 2))


def _roster_of_another_site(site: Site) -> None:
    build_roster(site.folder / "other", [], bytes(32))
    _signed(ROSTER, (site.folder / "other").read_bytes())(site)


def _no_publication_moment(site: Site) -> None:
    site.sign_unchecked(contents(site), versions=(2, 2, 2), published="yesterday")


def _metadata_that_is_no_json(site: Site) -> None:
    (site.repo / "metadata" / "timestamp.json").write_bytes(b"[" * 10_000)


def _stolen_keys_after_their_replacement(site: Site) -> None:
    thief = Site(_made(site.folder / "thief"))
    shutil.copytree(site.repo, thief.repo)
    shutil.copytree(site.keys, thief.keys)
    renew_root(site.repo, site.keys, NOON, replace=("targets", "snapshot", "timestamp"))
    site.publish("an")
    site.take_in()
    for _ in range(3):
        thief.publish("mallory")
    shutil.copytree(thief.repo, site.repo, dirs_exist_ok=True)


ATTACKS: dict[Callable[[Site], None], str] = {
    older_folder: "rollback",
    _older_snapshot_under_a_new_timestamp: "rollback",
    _older_targets_under_a_new_snapshot: "rollback",
    _other_publisher: "bad signature",
    _forged_next_root: "bad signature",
    _changed_timestamp: "bad signature",
    _stolen_keys_after_their_replacement: "bad signature",
    _parts_of_two_sets: "mixed",
    _timestamp_that_names_another_snapshot: "rollback",
    _wrong_target: "mixed",
    _short_target: "mixed",
    _endless_target: "too long",
    _endless_timestamp: "too long",
    _target_is_a_pipe: "unreadable",
    _target_is_a_link: "unreadable",
    _missing_target: "missing",
    _missing_timestamp: "missing",
    _missing_targets_metadata: "missing",
    _unlisted_target: "missing",
    _signed(ROSTER, b"no roster"): "roster.sqlite",
    _signed(ISSUERS, b"{}"): "issuers",
    _signed(REVOCATIONS, b'{"schema": "gate.revocations/2"}'): "revocations",
    _signed(SCHEDULES, b"\xff"): "schedules",
    _signed(SCHEDULES, b" " * (TARGET_MAX_BYTES[SCHEDULES] + 1)): "too long",
    _roster_of_another_site: "another token key",
    _no_publication_moment: "malformed",
    _metadata_that_is_no_json: "malformed",
}
ATTACK_NAMES = [f"{number}-{attack.__name__.strip('_<>')}" for number, attack in enumerate(ATTACKS)]
NEEDS_A_FOLDER = frozenset({_target_is_a_pipe, _target_is_a_link})
"""What only a folder can do."""
ENDLESS = frozenset({_endless_target, _endless_timestamp})
