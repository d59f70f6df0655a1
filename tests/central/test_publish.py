"""Publishing: what gates are offered is signed, whole at every moment, and never what they would refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support_documents import NOON, TOKEN_KEY, Site, killed_at

from gate.central.db import open_database, writing
from gate.central.db.models import Identifier, Pass, Person
from gate.central.document_root import renew_root, root_fingerprint
from gate.central.documents import KEEP_SETS, publish, published
from gate.central.holiday_dates import with_holidays
from gate.cli import main
from gate.documents import ISSUERS, REVOCATIONS, ROSTER, SCHEDULES, load_documents
from gate.errors import DocumentError, UsageError
from gate.policy.schedule import SCHEDULES_MAX_BYTES, schedules_from_json
from gate.token_key import read_token_key
from gate.view import DocumentSet


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path).init()


def test_private_keys_are_private_and_never_published(site: Site) -> None:
    site.publish("an")
    keys = sorted(path.name for path in site.keys.iterdir())
    assert keys == ["root-1.pem", "root-2.pem", "snapshot.pem", "targets.pem", "timestamp.pem"]
    assert {path.stat().st_mode & 0o777 for path in site.keys.iterdir()} == {0o600}
    assert site.keys.stat().st_mode & 0o777 == 0o700
    assert not [path for path in site.repo.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]


def test_publishing_needs_no_root_key(site: Site) -> None:
    for path in site.keys.glob("root*.pem"):
        path.unlink()
    assert site.publish("an").versions["targets"] == 1
    with pytest.raises(UsageError, match="0 of the 1 keys that have to sign as root"):
        renew_root(site.repo, site.keys, NOON)


def test_a_missing_key_is_named_and_nothing_is_published(site: Site) -> None:
    (site.keys / "snapshot.pem").unlink()
    with pytest.raises(UsageError, match="bring the snapshot keys there"):
        site.publish("an")
    with pytest.raises(UsageError, match="nothing is published"):
        published(site.repo)


def test_every_version_rises_with_each_publication(site: Site) -> None:
    assert [site.publish("an").versions for _ in range(3)] == [
        {"root": 1, "targets": number, "snapshot": number, "timestamp": number} for number in (1, 2, 3)]


def test_a_document_that_is_not_given_stays_as_it_was(site: Site) -> None:
    first = site.publish("an")
    draft = site.draft(revoked=("an",))
    second = publish(site.repo, site.keys, {REVOCATIONS: draft[REVOCATIONS]}, TOKEN_KEY, NOON)
    assert second.targets[ROSTER] == first.targets[ROSTER]
    assert second.targets[REVOCATIONS] != first.targets[REVOCATIONS]


def test_the_first_publication_has_to_be_complete(site: Site) -> None:
    draft = site.draft("an")
    del draft[ISSUERS]
    with pytest.raises(DocumentError, match="first publication needs issuers"):
        publish(site.repo, site.keys, draft, TOKEN_KEY, NOON)


@pytest.mark.parametrize(("name", "content"), [
    (ROSTER, b"no roster"), (ISSUERS, b"{}"), (REVOCATIONS, b"[]"), (SCHEDULES, b"{}"),
    (SCHEDULES, b" " * (SCHEDULES_MAX_BYTES + 1)),
])
def test_what_gates_would_refuse_is_not_signed(site: Site, name: str, content: bytes) -> None:
    draft = site.draft("an")
    draft[name].write_bytes(content)
    with pytest.raises(DocumentError, match=name):
        publish(site.repo, site.keys, draft, TOKEN_KEY, NOON)
    assert not (site.repo / "metadata" / "timestamp.json").exists()


def test_a_roster_under_another_token_key_is_not_signed(site: Site) -> None:
    with pytest.raises(DocumentError, match="another token key"):
        publish(site.repo, site.keys, site.draft("an"), bytes(32), NOON)


def test_only_the_last_publications_are_kept(site: Site) -> None:
    for number in range(KEEP_SETS + 2):
        site.publish(f"holder-{number}")
    assert len(list((site.repo / "metadata").glob("*.targets.json"))) == KEEP_SETS
    assert len(list((site.repo / "targets").glob("*.roster.sqlite"))) == KEEP_SETS
    site.take_in()
    assert site.lists(f"holder-{KEEP_SETS + 1}")


def test_whoever_reads_the_folder_at_any_moment_reads_a_whole_set(site: Site) -> None:
    site.publish("an")
    draft = site.draft("binh")
    start = site.folder / "start"
    site.repo.rename(start)
    seen = []
    for step in range(1, 10_000, 3):
        shutil.rmtree(site.repo, ignore_errors=True)
        shutil.rmtree(site.state, ignore_errors=True)
        shutil.copytree(start, site.repo)
        killed = killed_at(step, lambda: publish(site.repo, site.keys, draft, TOKEN_KEY, NOON))
        site.take_in()
        seen.append((site.lists("an"), site.lists("binh")))
        publish(site.repo, site.keys, draft, TOKEN_KEY, NOON)
        site.take_in()
        if not killed:
            break
    assert set(seen) == {(True, False), (False, True)}


def test_two_of_three_root_keys_have_to_sign_where_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path).init(root_keys=3, root_threshold=2)
    site.publish("an")
    site.take_in()
    lost = (site.keys / "root-1.pem").rename(tmp_path / "lost")
    assert renew_root(site.repo, site.keys, NOON) == 2
    (site.keys / "root-2.pem").unlink()
    with pytest.raises(UsageError, match="1 of the 2 keys"):
        renew_root(site.repo, site.keys, NOON)
    lost.rename(site.keys / "root-1.pem")
    assert renew_root(site.repo, site.keys, NOON, replace=("root",)) == 3
    site.publish("binh")
    site.take_in()
    assert site.in_force().versions["root"] == 3


@pytest.mark.parametrize(("keys", "threshold"), [(1, 2), (2, 0)])
def test_a_threshold_that_no_keys_reach_is_refused(tmp_path: Path, keys: int, threshold: int) -> None:
    with pytest.raises(UsageError, match="signatures"):
        Site(tmp_path).init(root_keys=keys, root_threshold=threshold)


def test_a_repository_is_never_made_twice(site: Site) -> None:
    with pytest.raises(UsageError, match="holds a repository already"):
        site.init()


def test_a_replaced_key_signs_nothing_any_more(site: Site) -> None:
    site.publish("an")
    site.take_in()
    renew_root(site.repo, site.keys, NOON, replace=("targets",))
    with pytest.raises(DocumentError, match="bad signature"):
        site.take_in()
    site.publish("binh")
    site.take_in()
    assert site.lists("binh")


def test_the_fingerprint_stays_that_of_the_first_root(site: Site) -> None:
    fingerprint = root_fingerprint(site.repo)
    renew_root(site.repo, site.keys, NOON)
    assert root_fingerprint(site.repo) == fingerprint


def test_public_holidays_become_dates() -> None:
    document = b'{"schema": "gate.schedules/1", "holidays": ["2026-12-24"], "schedules": {"ca-ngay": {}}}'
    schedules = schedules_from_json(with_holidays(document, "VN", (2026, 2027)))
    assert {date(2026, 9, 2), date(2027, 1, 1), date(2026, 2, 17), date(2026, 12, 24)} <= schedules.holidays
    assert "ca-ngay" in schedules.by_name
    with pytest.raises(UsageError, match="no such country"):
        with_holidays(document, "XX", (2026,))


def test_tet_of_2027_is_closed_by_the_lunar_calendar() -> None:
    """Tet Dinh Mui begins on 6 February 2027, new year's eve is a holiday too (Labour Code 2019, article 112)."""
    document = b'''{"schema": "gate.schedules/1", "schedules": {"ca-ngay": {
        "mon": [["06:00", "18:00"]], "tue": [["06:00", "18:00"]], "fri": [["06:00", "18:00"]], "holiday": []}}}'''
    schedules = schedules_from_json(with_holidays(document, "VN", (2027,)))
    assert {date(2027, 2, day) for day in range(5, 10)} <= schedules.holidays
    for day, is_open in (("2027-02-02", True), ("2027-02-05", False), ("2027-02-08", False), ("2027-02-09", False),
                         ("2027-02-15", True)):
        assert schedules.is_open("ca-ngay", datetime.fromisoformat(f"{day}T09:00:00")) is is_open, day


# --- the command ---------------------------------------------------------------------------------------


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a database of one person, whose second pass was withdrawn."""
    monkeypatch.chdir(tmp_path)
    later = datetime.now(UTC) + timedelta(days=30)
    with writing(open_database("sqlite:///central.db")) as session:
        person = Person(holder="h-an", full_name="Nguyễn Văn An", created_at=NOON, areas=["site"],
                        identifiers=[Identifier(kind="cccd", value="079090000001")])
        session.add(person)
        session.add(Pass(cti="aa", person=person, key_id="k", issued_at=NOON, valid_from=NOON, valid_until=later))
        session.add(Pass(cti="bb", person=person, key_id="k", issued_at=NOON, valid_from=NOON, valid_until=later,
                         revoked_at=NOON))
    assert main(["central", "documents", "init", "--repo", "repo", "--keys", "keys", "--token-key", "token.key"]) == 0
    return tmp_path


PUBLISH = ["central", "documents", "publish", "--repo", "repo", "--keys", "keys", "--token-key", "token.key"]
IMPORT = ["documents", "import", "repo", "--state", "state", "--root", "repo/metadata/1.root.json",
          "--token-key", "token.key"]


def test_people_and_withdrawals_reach_the_gate(centre: Path) -> None:
    assert main(PUBLISH) == 0
    assert main(IMPORT) == 0
    documents = load_documents(centre / "state", read_token_key(centre / "token.key"))
    entry = documents.roster.find(("cccd:079090000001",))
    assert entry
    assert entry.holder == "h-an"
    assert documents.revocations.passes == {"bb"}
    published_files = b"".join(path.read_bytes() for path in Path("repo").rglob("*") if path.is_file())
    assert "Nguyễn".encode() not in published_files
    assert b"079090000001" not in published_files


def test_the_roster_can_stay_while_withdrawals_go_out(centre: Path) -> None:
    assert main(PUBLISH) == 0
    with writing(open_database("sqlite:///central.db")) as session:
        session.query(Person).delete()
    assert main([*PUBLISH, "--keep-roster"]) == 0
    assert main(IMPORT) == 0
    documents = load_documents(centre / "state", read_token_key(centre / "token.key"))
    assert documents.roster.holder("h-an") is not None
    assert main(PUBLISH) == 0
    assert main(IMPORT) == 0
    assert load_documents(centre / "state", read_token_key(centre / "token.key")).roster.holder("h-an") is None


def documents_after(*changes: str) -> DocumentSet:
    """Publish with these options, import, and load what the gate then believes."""
    assert main([*PUBLISH, *changes]) == 0
    assert main(IMPORT) == 0
    return load_documents(Path("state"), read_token_key(Path("token.key")))


def test_one_command_suspends_a_business_and_another_resumes_it(centre: Path) -> None:
    Path("permits.json").write_text('{"schema": "gate.permits/1", "required": true, "businesses": {"a": {}, "b": {}}}')
    permits = documents_after("--permits", "permits.json").permits
    assert permits
    assert permits.holds("a", None)
    permits = documents_after("--suspend", "a").permits
    assert permits
    assert [permits.holds(name, None) for name in ("a", "b", "c")] == [False, True, False]
    permits = documents_after("--resume", "a").permits
    assert permits
    assert permits.holds("a", None)
    assert main([*PUBLISH, "--resume", "a"]) == 2


def test_one_command_withdraws_a_pass_or_a_key_for_good(centre: Path) -> None:
    assert documents_after("--revoke-pass", "AA", "--reason", "lost").revocations.passes == {"aa", "bb"}
    assert documents_after("--revoke-key", "a2V5LTE=").revocations.keys == {"a2V5LTE="}
    revoked = documents_after("--keep-roster").revocations
    assert (revoked.passes, revoked.keys) == ({"aa", "bb"}, {"a2V5LTE="}), "also in later sets"
    assert main([*PUBLISH, "--revoke-key", "no key"]) == 2
    assert main([*PUBLISH, "--revoke-pass", "ff"]) == 2


def test_one_command_adds_people_and_says_whom_they_visit(centre: Path) -> None:
    Path("people.csv").write_text("ho_ten,cccd,khu_vuc\nTrần Thị Khách,001090123456,site\n")
    Path("visits").write_text('{"who": "001090123456", "host": "079090000001", "uses": 2}\n')
    entry = documents_after("--people", "people.csv", "--visits", "visits").roster.find(("cccd:001090123456",))
    assert entry
    assert entry.facts == {"visit": {"host": "h-an", "uses": 2}}
    Path("bad.csv").write_text("ho_ten,cccd\nTrần,12\n")
    assert main([*PUBLISH, "--people", "bad.csv"]) == 2


def test_quotas_are_published_and_stay(centre: Path) -> None:
    Path("quotas.json").write_text('{"schema": "gate.quotas/1", "site": {"max": 7}}')
    documents_after("--quotas", "quotas.json")
    quotas = documents_after().quotas
    assert quotas
    assert quotas.site == 7


def test_a_refused_import_exits_1_and_status_says_why(centre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["documents", "status", "--state", "state"]) == 1
    assert main(PUBLISH) == 0
    assert main(IMPORT) == 0
    assert main(["documents", "status", "--state", "state"]) == 0
    Path("repo/metadata/timestamp.json").write_text("{}")
    capsys.readouterr()
    assert main(IMPORT) == 1
    assert "Từ chối / refused: malformed" in capsys.readouterr().err
    assert main(["documents", "status", "--state", "state", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "gate.documents/1"
    assert answer["in_force"]["versions"]["timestamp"] == 1
    assert answer["refused"]["problem"].startswith("malformed")


def test_a_call_that_cannot_work_exits_2_with_what_to_do(centre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in [
        (["documents", "import", "repo", "--state", "state"], "--root FILE and --token-key FILE"),
        ([*PUBLISH, "--holidays", "VN"], "--schedules"),
        ([*PUBLISH, "--expires-days", "0"], "at least 1"),
        ([*PUBLISH, "--issuers", "absent.json"], "absent.json"),
        (["central", "documents", "status", "--repo", "repo"], "nothing is published"),
    ]:
        assert main(arguments) == 2, arguments
        assert words in capsys.readouterr().err


def test_status_exits_1_once_something_has_expired(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    status = ["central", "documents", "status", "--repo", str(site.repo), "--json"]
    since = (datetime.now(UTC) - NOON).days
    site.publish("an", days=since)
    assert main(status) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "gate.published/1"
    assert answer["fingerprint"] == root_fingerprint(site.repo)
    site.publish("an", days=since - 31)
    assert main(status) == 1


def test_nothing_but_the_set_is_left_in_the_folder(centre: Path) -> None:
    assert main(PUBLISH) == 0
    assert sorted(path.name for path in Path("repo").iterdir()) == [".lock", "metadata", "targets"]
