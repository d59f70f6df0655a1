"""A large roster and its changes: small on the way, whole at the gate, and the same as the roster itself."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support_documents import TOKEN_KEY, Site, at
from support_mosquitto import Mosquitto, needs_mosquitto
from support_roads import PLACE, broker_road
from tuf.api.metadata import Metadata, Targets

from gate import wire
from gate.central import roster_changes
from gate.central.documents import publish
from gate.central.documents_broker import send_documents
from gate.clock import SystemClock
from gate.documents import ROSTER, changes, load_set, set_in_force
from gate.documents.changes import Changes, changes_from_bytes, changes_name, changes_to_bytes
from gate.documents.importing import import_documents
from gate.documents.roads import FolderRoad
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterFile, RosterRow
from gate.errors import DocumentError
from gate.trust import Roster

People = Mapping[str, RosterRow]
WIRE_MAX_BYTES = 64 * 1024
RECORD = {"v": [{"tg": "840539006", "mp": "EU/1/20/1528", "dn": 2, "sd": 2, "dt": "2021-08-30"}],
          "declaration": {"at": "2021-09-20T06:30:00+07:00"}}


def person(number: int, **changes: object) -> RosterRow:
    row = RosterRow(f"holder-{number:06}", (f"cccd:{number:012}", f"qid:{number:018}"), ("site",), company="may",
                    facts=RECORD)
    return replace(row, **changes)  # type: ignore[arg-type]


def crowd(count: int) -> dict[str, RosterRow]:
    return {row.holder: row for row in map(person, range(count))}


def publish_people(site: Site, people: People, days: float = 0, *, whole_roster: bool = False) -> None:
    drafts = site.draft()
    build_roster(drafts[ROSTER], people.values(), TOKEN_KEY)
    publish(site.repo, site.keys, drafts, TOKEN_KEY, at(days).utc, whole_roster=whole_roster)


def assert_says(roster: Roster, people: People, ever: People, folder: Path) -> None:
    """Of everybody who ever was, `roster` says what a roster file of `people` says."""
    build_roster(folder / "plain.sqlite", people.values(), TOKEN_KEY)
    plain = RosterFile(folder / "plain.sqlite", TOKEN_KEY)
    for row in ever.values():
        assert roster.holder(row.holder) == plain.holder(row.holder)
        for identifier in row.identifiers:
            assert roster.find((identifier,)) == plain.find((identifier,)), identifier


@pytest.fixture(scope="module")
def first_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = Site(tmp_path_factory.mktemp("site")).init()
    publish_people(site, crowd(1000))
    site.take_in()
    return site.folder


@pytest.fixture
def site(first_set: Path, tmp_path: Path) -> Site:
    shutil.copytree(first_set, tmp_path / "site", symlinks=True)
    return Site(tmp_path / "site")


def base_of(site: Site) -> int:
    """The file that the gate has as its base: the same as long as nobody wrote another."""
    folder = set_in_force(site.state)
    assert folder
    return (folder / ROSTER).stat().st_ino


def test_who_was_added_changed_and_removed_is_so_at_the_gate(site: Site, tmp_path: Path) -> None:
    before, people = base_of(site), crowd(1000)
    people["new"] = person(5000, holder="new")
    people["holder-000001"] = person(1, areas=("canteen",), identifiers=("cccd:999",))
    del people["holder-000002"]
    publish_people(site, people, days=1)
    site.take_in(now=at(1))
    assert base_of(site) == before, "the base is not sent again"
    assert_says(site.in_force().roster, people, crowd(1000) | people, tmp_path)


def test_a_code_that_goes_to_somebody_else_names_the_new_holder(site: Site) -> None:
    people = crowd(1000)
    people["holder-000001"] = person(1, identifiers=("qid:1",))
    people["holder-000002"] = person(2, identifiers=("qid:2", f"cccd:{1:012}"))
    publish_people(site, people, days=1)
    site.take_in(now=at(1))
    entry = site.in_force().roster.find((f"cccd:{1:012}",))
    assert entry
    assert entry.holder == "holder-000002"


def test_any_row_of_changes_comes_to_the_same_as_the_roster_itself(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (roster_changes, changes):
        monkeypatch.setattr(module, "CHANGES_MAX", 2)
    chance, people, ever = random.Random(5), crowd(1000), crowd(1000)
    base = base_of(site)
    for day in range(1, 6):
        for number in chance.sample(range(1100), 40):
            name = f"holder-{number:06}"
            if name in people and chance.random() < 0.4:
                del people[name]
            else:
                people[name] = person(number, company=chance.choice(("may", "giay")), facts={})
        ever |= people
        publish_people(site, people, days=day)
        site.take_in(now=at(day))
        assert base_of(site) == base
        assert_says(site.in_force().roster, people, ever, tmp_path)


def test_a_gate_that_missed_all_changes_takes_them_at_once(site: Site, tmp_path: Path) -> None:
    people = crowd(1000)
    for day in (1, 2, 3):
        del people[f"holder-00000{day}"]
        publish_people(site, people, days=day)
    shutil.rmtree(site.state)
    site.take_in(now=at(3))
    assert_says(site.in_force().roster, people, crowd(1000), tmp_path)


def test_a_whole_roster_ends_the_changes(site: Site, tmp_path: Path) -> None:
    people = crowd(1000)
    del people["holder-000001"]
    publish_people(site, people, days=1)
    site.take_in(now=at(1))
    publish_people(site, people, days=2, whole_roster=True)
    site.take_in(now=at(2))
    folder = set_in_force(site.state)
    assert folder
    assert not (folder / changes.OVERLAY).exists()
    assert_says(site.in_force().roster, people, crowd(1000), tmp_path)


def test_a_roster_that_is_all_new_goes_out_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_changes, "HOLDERS_MAX", 10)
    base = base_of(site)
    publish_people(site, crowd(900), days=1)
    site.take_in(now=at(1))
    assert base_of(site) != base
    assert site.in_force().roster.holder("holder-000950") is None


def test_changes_that_are_kept_stay_when_the_roster_is_not_published_again(site: Site) -> None:
    people = crowd(1000)
    del people["holder-000001"]
    publish_people(site, people, days=1)
    drafts = {name: path for name, path in site.draft().items() if name != ROSTER}
    publish(site.repo, site.keys, drafts, TOKEN_KEY, at(2).utc)
    site.take_in(now=at(2))
    assert site.in_force().roster.holder("holder-000001") is None
    assert site.in_force().roster.holder("holder-000002")


@needs_mosquitto
@pytest.mark.slow
def test_a_change_of_100_people_costs_at_most_64_kib_on_the_wire_beside_as_many_changes_as_there_may_be(
    site: Site, tmp_path: Path,
) -> None:
    broker = Mosquitto(tmp_path / "broker").start()
    people = crowd(1000)
    try:
        for day in range(1, changes.CHANGES_MAX):
            people["holder-000000"] = person(0, company=f"company-{day}")
            publish_people(site, people, days=day / 100)
        send_documents(site.repo, site.keys, broker.settings(), PLACE, SystemClock())
        for number in range(100, 200):
            people[f"holder-{number:06}"] = person(number, company=f"company-{number}")
        publish_people(site, people)
        sent = send_documents(site.repo, site.keys, broker.settings(), PLACE, SystemClock())
        index = broker.probe(wire.documents(PLACE, "index")).wait(lambda messages: messages)[0]
        with broker_road(broker) as road:
            site.take_in(road)
    finally:
        broker.stop()
    assert changes_name(changes.CHANGES_MAX) in {name.partition(".")[2] for name in sent.files}
    assert site.in_force().roster.holder("holder-000150")
    assert sent.payload_bytes + len(index.payload) <= WIRE_MAX_BYTES, "the daemon and the fetch read the index"


# --- what must not be believed -------------------------------------------------------------------------

BASE = "0" * 64


@pytest.mark.parametrize("content", [
    b"", b"noise", changes_to_bytes(Changes(base=BASE, number=2, put=(), gone=())),
    changes_to_bytes(Changes(base="1" * 64, number=1, put=(), gone=())),
    changes_to_bytes(Changes(base=BASE, number=1, put=(), gone=()))[:-1],
    changes_to_bytes(Changes(base=BASE, number=1, put=(), gone=())) + b"x",
], ids=["empty", "noise", "another place", "another base", "cut short", "followed by more"])
def test_changes_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(DocumentError, match="changes-1"):
        changes_from_bytes(content, BASE, 1)


def test_changes_that_inflate_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "INFLATED_MAX_BYTES", 100)
    with pytest.raises(DocumentError, match="over 100 bytes"):
        changes_from_bytes(changes_to_bytes(Changes(base=BASE, number=1, put=(), gone=("x" * 100,))), BASE, 1)


def test_signed_changes_of_another_roster_leave_what_was_in_force(site: Site) -> None:
    before = set_in_force(site.state)
    targets = Metadata[Targets].from_file(str(site.repo / "metadata" / "1.targets.json")).signed.targets
    held = {name: (site.repo / "targets" / f"{target.hashes['sha256']}.{name}").read_bytes()
            for name, target in targets.items()}
    foreign = changes_to_bytes(Changes(base=BASE, number=1, put=(), gone=("holder-000001",)))
    site.sign_unchecked({**held, changes_name(1): foreign}, versions=(2, 2, 2))
    with pytest.raises(DocumentError, match="changes-1"):
        site.take_in()
    assert set_in_force(site.state) == before


def test_an_import_that_does_not_read_again_puts_the_same_in_force(site: Site, tmp_path: Path) -> None:
    people = crowd(1000)
    del people["holder-000001"]
    publish_people(site, people, days=1)
    done = import_documents(FolderRoad(site.repo), site.state, site.repo / "metadata" / "1.root.json", TOKEN_KEY, at(1),
                            reread=False)
    assert done.changed
    assert_says(load_set(done.folder, TOKEN_KEY).roster, people, crowd(1000), tmp_path)
