"""Documents at the gate: what is published comes into force whole, and every attack leaves what was in force."""

from __future__ import annotations

import queue
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support_attacks import ATTACK_NAMES, ATTACKS, contents, older_folder, target_of
from support_documents import NOON, TOKEN_KEY, Site, at, killed_at

from gate.central.document_root import renew_root
from gate.central.documents import publish
from gate.documents import (
    ISSUERS,
    REVOCATIONS,
    ROSTER,
    SCHEDULES,
    DocumentWatcher,
    load_documents,
    read_refusal,
    read_set_note,
    set_in_force,
    tuf_client,
)
from gate.documents.importing import FREE_MIN_BYTES, PROBLEM_MAX_CHARS
from gate.documents.roads import FolderRoad
from gate.durable import only_one
from gate.errors import DocumentError, StoreError, UsageError
from gate.model import Documents, Fault
from gate.trust import Revocations, revocations_to_json
from gate.view import NO_DOCUMENTS


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose gate has taken in the first publication, which lists An."""
    site = Site(tmp_path_factory.mktemp("site")).init()
    site.publish("an")
    site.take_in()
    return site.folder


@pytest.fixture
def site(published: Path, tmp_path: Path) -> Site:
    shutil.copytree(published, tmp_path / "site", symlinks=True)
    return Site(tmp_path / "site")


# --- what should happen --------------------------------------------------------------------------------


def test_before_the_first_import_nobody_is_listed(tmp_path: Path) -> None:
    assert load_documents(tmp_path, TOKEN_KEY) is NO_DOCUMENTS


def test_what_is_published_comes_into_force(site: Site) -> None:
    documents = site.in_force()
    assert documents.versions == {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
    assert documents.published_at == NOON
    assert site.lists("an")
    assert not site.lists("binh")


def test_the_next_publication_replaces_the_first(site: Site) -> None:
    site.publish("binh", days=1, revoked=("an",))
    assert site.take_in().changed
    assert not site.lists("an")
    assert site.lists("binh")
    assert site.in_force().revocations.holders == {"an"}


def test_the_same_publication_again_changes_nothing(site: Site) -> None:
    before = (site.state / "documents" / "current").readlink()
    assert not site.take_in().changed
    assert (site.state / "documents" / "current").readlink() == before


def test_an_unchanged_roster_is_not_written_again(site: Site) -> None:
    first = set_in_force(site.state)
    site.publish("an", days=1)
    second = site.take_in(now=at(1)).folder
    assert first
    assert (first / ROSTER).samefile(second / ROSTER)
    assert site.in_force().published_at == at(1).utc


def test_only_the_set_before_is_kept(site: Site) -> None:
    for days in range(1, 4):
        site.publish(f"holder-{days}", days=days)
        site.take_in(now=at(days))
    assert sorted(path.name for path in (site.state / "documents" / "sets").iterdir()) == ["3-3", "4-4"]
    assert len(list((site.state / "documents" / "trusts").iterdir())) == 2
    assert not (site.state / "documents" / "staging").exists()


def test_a_damaged_set_is_told_and_mended_by_importing_again(site: Site) -> None:
    damaged = set_in_force(site.state)
    assert damaged
    (damaged / ROSTER).write_bytes(b"worn out")
    (damaged / "set.json").write_bytes(b"")
    with pytest.raises(DocumentError, match="import"):
        site.in_force()
    assert site.take_in().changed
    assert site.lists("an")


def test_a_document_missing_from_the_stored_set_is_told(site: Site) -> None:
    folder = set_in_force(site.state)
    assert folder
    (folder / ISSUERS).unlink()
    with pytest.raises(DocumentError, match="import them again"):
        site.in_force()


def test_a_gate_follows_the_publisher_to_new_keys(site: Site) -> None:
    for version in (2, 3):
        assert renew_root(site.repo, site.keys, NOON, replace=("root", "timestamp")) == version
    site.publish("binh")
    site.take_in()
    assert site.in_force().versions["root"] == 3
    assert site.lists("binh")


def test_a_gate_that_missed_years_of_roots_follows_them_all(site: Site) -> None:
    for _ in range(5):
        renew_root(site.repo, site.keys, NOON)
    site.publish("binh")
    fresh = Site(site.folder)
    shutil.rmtree(fresh.state)
    fresh.take_in()
    assert fresh.in_force().versions["root"] == 6


# --- attacks: each leaves what was in force ------------------------------------------------------------


@pytest.mark.parametrize(("attack", "kind"), ATTACKS.items(), ids=ATTACK_NAMES)
def test_an_attack_is_named_and_leaves_what_was_in_force(
    site: Site, attack: Callable[[Site], None], kind: str,
) -> None:
    attack(site)
    before = (site.state / "documents" / "current").readlink()
    with pytest.raises(DocumentError) as caught:
        site.take_in()
    assert kind in str(caught.value)
    assert (site.state / "documents" / "current").readlink() == before
    assert site.lists("binh" if attack is older_folder else "an")
    assert not site.lists("mallory")
    refusal = read_refusal(site.state)
    assert refusal
    assert kind in refusal.problem
    assert len(refusal.problem) <= PROBLEM_MAX_CHARS
    assert not (site.state / "documents" / "staging").exists()


def test_a_set_held_back_until_it_expired_is_refused(site: Site) -> None:
    site.publish("binh", days=1)
    with pytest.raises(DocumentError, match=r"^expired"):
        site.take_in(now=at(31.5))
    assert site.lists("an")


def test_expiry_does_not_act_on_a_clock_that_cannot_be_believed(site: Site) -> None:
    site.publish("binh", days=1)
    site.take_in(now=at(4000, trusted=False))
    assert site.lists("binh")


def test_a_wrong_clock_does_not_make_a_rollback_possible(site: Site) -> None:
    older_folder(site)
    with pytest.raises(DocumentError, match=r"^rollback"):
        site.take_in(now=at(-20_000, trusted=False))


def test_a_set_that_expired_before_the_one_in_force_was_published_is_refused_on_any_clock(site: Site) -> None:
    site.publish("binh", days=100)
    site.take_in(now=at(100))
    site.sign_unchecked(contents(site), versions=(3, 3, 3))
    with pytest.raises(DocumentError, match=r"^expired"):
        site.take_in(now=at(-20_000, trusted=False))


def test_expired_documents_stay_in_force(site: Site) -> None:
    assert site.lists("an"), "expiry forbids importing, it does not empty the gate"


def test_what_was_verified_protects_from_rollback_though_the_import_failed(site: Site) -> None:
    site.publish("binh", days=1)
    shutil.copytree(site.repo, site.folder / "second")
    site.publish("cuong", days=2)
    target_of(site, ROSTER).unlink()
    with pytest.raises(DocumentError, match=r"^missing"):
        site.take_in()
    with pytest.raises(DocumentError, match=r"^rollback"):
        site.take_in(FolderRoad(site.folder / "second"))


def test_a_good_import_withdraws_the_refusal(site: Site) -> None:
    hidden = (site.repo / "metadata" / "timestamp.json").rename(site.folder / "hidden")
    with pytest.raises(DocumentError):
        site.take_in()
    hidden.rename(site.repo / "metadata" / "timestamp.json")
    site.take_in()
    assert read_refusal(site.state) is None


def test_a_signed_set_beyond_the_limit_of_roots_is_not_followed(site: Site) -> None:
    for _ in range(tuf_client.LIMITS.max_root_rotations + 1):
        renew_root(site.repo, site.keys, NOON, replace=("timestamp",))
    site.publish("binh")
    with pytest.raises(DocumentError, match=r"^bad signature"):
        site.take_in()


def test_no_room_on_the_disk_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish("binh")
    usage = shutil.disk_usage(site.state)._replace(free=FREE_MIN_BYTES - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match="make room"):
        site.take_in()
    assert site.lists("an")


def test_a_second_importer_is_kept_out(site: Site) -> None:
    lock = site.state / "documents" / "lock"
    with only_one(lock, "importing"), pytest.raises(UsageError, match="another process"):
        site.take_in()


def test_a_folder_or_a_root_that_is_none_is_a_usage_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder `metadata`"):
        site.take_in(FolderRoad(tmp_path))
    (site.repo / "metadata" / "1.root.json").write_text("{}")
    with pytest.raises(UsageError, match="no TUF root"):
        site.take_in()


def test_mutated_metadata_never_changes_what_is_in_force(site: Site) -> None:
    site.publish("mallory")
    chance = random.Random(2101)
    originals = {path: path.read_bytes() for path in (site.repo / "metadata").iterdir()
                 if path.name in {"timestamp.json", "2.snapshot.json", "2.targets.json"}}
    refused = 0
    for _ in range(120):
        path, content = chance.choice(list(originals.items()))
        start = chance.randrange(len(content))
        mutated = content[:start] + chance.randbytes(chance.randrange(3)) + content[start + chance.randrange(1, 4):]
        path.write_bytes(mutated)
        shutil.rmtree(site.state)
        try:
            site.take_in()
        except DocumentError:
            refused += 1
            assert set_in_force(site.state) is None
        path.write_bytes(content)
    assert refused > 100


# --- crashes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_set_whole(site: Site, stride: int) -> None:
    site.publish("binh", days=1)
    start = site.folder / "start"
    site.state.rename(start)
    outcomes = []
    for step in range(1, 10_000, stride):
        shutil.rmtree(site.state, ignore_errors=True)
        shutil.copytree(start, site.state, symlinks=True)
        killed = killed_at(step, site.take_in)
        outcomes.append((site.lists("an"), site.lists("binh")))
        site.take_in()
        assert site.lists("binh"), f"an import after a kill at step {step}"
        if not killed:
            break
    assert set(outcomes) == {(True, False), (False, True)}
    assert outcomes == sorted(outcomes, reverse=True), "once the new set is in force it stays"
    assert len(outcomes) * stride > 50


# --- keys that cannot be used --------------------------------------------------------------------------

UNUSABLE = (b'{"schema": "gate.issuers/1", "issuers": [{"id": "vn", "keys": ['
            b'{"kid": "AQ==", "purpose": "health", "certificate": "AA=="}]}]}')


def test_publisher_refuses_a_key_that_no_gate_can_use(site: Site) -> None:
    documents = site.draft("an")
    documents[ISSUERS].write_bytes(UNUSABLE)
    with pytest.raises(DocumentError, match="vn, key AQ==: not a certificate"):
        publish(site.repo, site.keys, documents, TOKEN_KEY, at().utc)


def test_gate_leaves_out_a_key_that_it_cannot_use_and_calls_for_help_until_it_is_mended(site: Site) -> None:
    said: list[Documents | Fault] = []
    watcher = DocumentWatcher(site.state, TOKEN_KEY, said.append)
    contents = {name: path.read_bytes() for name, path in site.draft("binh").items()} | {ISSUERS: UNUSABLE}
    site.sign_unchecked(contents, versions=(2, 2, 2))
    site.take_in()
    watcher.look()
    assert site.lists("binh")
    (fault,) = [one for one in said if isinstance(one, Fault)]
    assert fault.source == "issuers"
    assert fault.detail is not None
    assert fault.detail.startswith("vn, key AQ==: not a certificate")
    assert not fault.fatal
    said.clear()
    site.sign_unchecked({**contents, ISSUERS: b'{"schema": "gate.issuers/1", "issuers": []}'}, versions=(3, 3, 3))
    site.take_in()
    watcher.look()
    assert [one for one in said if isinstance(one, Fault)] == [Fault("issuers", None)]


def test_withdrawn_fingerprints_reach_the_keyring(site: Site) -> None:
    documents = site.draft("an")
    documents[REVOCATIONS].write_bytes(revocations_to_json(Revocations(fingerprints=frozenset({"ab" * 32}))))
    publish(site.repo, site.keys, documents, TOKEN_KEY, at().utc)
    site.take_in()
    assert site.in_force().keyring.withdrawn == {"ab" * 32}


# --- the daemon's side ---------------------------------------------------------------------------------


@pytest.fixture
def heard(site: Site) -> Iterator[queue.Queue[Documents]]:
    said: queue.Queue[Documents] = queue.Queue()
    watcher = DocumentWatcher(
        site.state, TOKEN_KEY, lambda new: said.put(new) if isinstance(new, Documents) else None, poll_s=0.01)
    watcher.start()
    yield said
    watcher.stop()


def test_a_revocation_reaches_the_running_daemon(site: Site, heard: queue.Queue[Documents]) -> None:
    site.publish("an", revoked=("an",))
    site.take_in()
    documents = heard.get(timeout=10)
    assert documents.problem is None
    assert documents.versions["targets"] == 2
    assert documents.view.revocations.holders == {"an"}
    assert documents.view.roster.find(("number:an",)).holder == "an"


def test_a_refusal_is_said_once_and_its_end_too(site: Site, heard: queue.Queue[Documents]) -> None:
    hidden = (site.repo / "metadata" / "timestamp.json").rename(site.folder / "hidden")
    with pytest.raises(DocumentError):
        site.take_in()
    documents = heard.get(timeout=10)
    assert documents.view is None
    assert documents.problem
    assert documents.problem.startswith("missing")
    hidden.rename(site.repo / "metadata" / "timestamp.json")
    site.take_in()
    documents = heard.get(timeout=10)
    assert documents.problem is None
    assert documents.view.roster.find(("number:an",)) is not None


def test_nothing_is_said_when_nothing_changes(site: Site) -> None:
    said: list[Documents] = []
    watcher = DocumentWatcher(site.state, TOKEN_KEY, said.append)
    for _ in range(3):
        watcher.look()
    assert said == []


def test_a_standing_refusal_is_said_after_a_restart(site: Site) -> None:
    (site.repo / "metadata" / "timestamp.json").unlink()
    with pytest.raises(DocumentError):
        site.take_in()
    said: list[Documents] = []
    watcher = DocumentWatcher(site.state, TOKEN_KEY, said.append)
    watcher.look()
    watcher.look()
    assert [documents.problem is not None for documents in said] == [True]


def test_a_set_that_cannot_be_loaded_is_said_and_the_next_one_taken(site: Site) -> None:
    said: list[Documents | Fault] = []
    watcher = DocumentWatcher(site.state, TOKEN_KEY, said.append)
    site.publish("binh", days=1)
    (site.take_in().folder / SCHEDULES).write_bytes(b"worn out")
    watcher.look()
    site.publish("binh", days=2)
    site.take_in()
    watcher.look()
    refused, taken, keys = said
    assert isinstance(refused, Documents) and refused.view is None and refused.problem
    assert isinstance(taken, Documents) and taken.view is not None
    assert keys == Fault("issuers", None)


def test_the_first_import_reaches_a_daemon_that_had_none(site: Site) -> None:
    shutil.rmtree(site.state)
    said: list[Documents | Fault] = []
    watcher = DocumentWatcher(site.state, TOKEN_KEY, said.append)
    site.take_in()
    watcher.look()
    assert isinstance(said[0], Documents)
    assert said[0].view.roster.find(("number:an",)) is not None


def test_the_note_of_a_set_says_what_was_signed(site: Site) -> None:
    folder = set_in_force(site.state)
    assert folder
    note = read_set_note(folder)
    assert set(note.targets) == {path.name for path in site.drafts.iterdir()}
    assert note.expires_at == at(30).utc


# --- helpers -------------------------------------------------------------------------------------------
