"""The roster file: what is built is found again, names nobody, and nothing else passes for one."""

from __future__ import annotations

import gc
import os
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.documents.roster_builder import FACTS_MAX_BYTES, PROGRESS_HOLDERS, build_roster
from gate.documents.roster_file import RosterFile, RosterRow, check_roster
from gate.errors import DocumentError, UsageError
from gate.model import RosterEntry
from gate.token_key import make_token_key, read_token_key

KEY = bytes(range(32))
AN = RosterRow(
    "h-an", ("cccd:079090000001", "number:12345674"), ("site", "canteen"), ("worker",), "ca-ngay",
    datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "Công ty May", {"v": [{"dn": 2}]},
)
BINH = RosterRow("h-binh", ("cccd:079090000002",))


@pytest.fixture
def roster(tmp_path: Path) -> RosterFile:
    build_roster(tmp_path / "roster.sqlite", [AN, BINH], KEY)
    return RosterFile(tmp_path / "roster.sqlite", KEY)


def test_a_holder_is_found_by_any_identifier_and_by_id(roster: RosterFile) -> None:
    expected = RosterEntry(
        "h-an", frozenset({"site", "canteen"}), frozenset({"worker"}), "ca-ngay",
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "Công ty May", {"v": [{"dn": 2}]},
    )
    assert roster.find(("cccd:079090000001",)) == expected
    assert roster.find(("qid:nobody", "number:12345674")) == expected
    assert roster.holder("h-an") == expected
    assert roster.holder("h-binh") == RosterEntry("h-binh", frozenset())


def test_an_unlisted_identifier_finds_nobody(roster: RosterFile) -> None:
    assert roster.find(("cccd:079090000003",)) is None
    assert roster.find(("qid:079090000001",)) is None, "the kind is part of the identifier"
    assert roster.find(()) is None
    assert roster.holder("h-nobody") is None


def test_the_file_holds_no_identifier(tmp_path: Path) -> None:
    build_roster(tmp_path / "roster.sqlite", [AN, BINH], KEY)
    content = (tmp_path / "roster.sqlite").read_bytes()
    assert b"079090000001" not in content
    assert b"12345674" not in content


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        build_roster(tmp_path / name, [AN, BINH], KEY)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_moments_in_any_zone_name_the_same_moment(tmp_path: Path) -> None:
    saigon = timezone(timedelta(hours=7))
    row = RosterRow("h", ("n:1",), valid_until=datetime(2027, 1, 1, 7, tzinfo=saigon))
    build_roster(tmp_path / "r", [row], KEY)
    entry = RosterFile(tmp_path / "r", KEY).holder("h")
    assert entry is not None
    assert entry.valid_until_at == datetime(2027, 1, 1, tzinfo=UTC)


@given(st.dictionaries(st.text("ab1-é", min_size=1), st.sampled_from(["h-1", "h-2", "h-3"])))
def test_every_identifier_leads_to_its_own_holder(holder_of: dict[str, str]) -> None:
    rows = [RosterRow(holder, tuple(text for text in holder_of if holder_of[text] == holder))
            for holder in ("h-1", "h-2", "h-3")]
    with TemporaryDirectory() as folder:
        build_roster(Path(folder) / "r", rows, KEY)
        roster = RosterFile(Path(folder) / "r", KEY)
        found = {text: roster.find((text,)) for text in holder_of}
    assert {text: entry and entry.holder for text, entry in found.items()} == holder_of


def test_an_identifier_of_two_holders_names_the_rows_and_not_the_value(tmp_path: Path) -> None:
    twin = RosterRow("h-cuong", ("cccd:079090000002",))
    with pytest.raises(DocumentError, match=r"row 2 \(holder h-binh\) and row 3 \(holder h-cuong\)") as caught:
        build_roster(tmp_path / "roster.sqlite", [AN, BINH, twin], KEY)
    assert "079090000002" not in str(caught.value)
    assert not any(tmp_path.iterdir()), "nothing is left of a roster that was refused"


def test_a_holder_id_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"row 1 .* and row 3 .* the same holder id"):
        build_roster(tmp_path / "r", [AN, BINH, RosterRow("h-an", ("qid:1",))], KEY)


def test_an_identifier_given_twice_for_one_holder_is_one(tmp_path: Path) -> None:
    assert build_roster(tmp_path / "r", [RosterRow("h", ("n:1", "n:1"))], KEY) == 1


@pytest.mark.parametrize(("row", "words"), [
    (RosterRow("h", (), valid_from=datetime(2026, 1, 1)), "no time zone"),  # noqa: DTZ001
    (RosterRow("h", (), areas=("a\nb",)), "control character"),
    (RosterRow("h", (), facts={"v": "x" * FACTS_MAX_BYTES}), "bytes of facts"),
])
def test_a_row_that_no_roster_can_hold_is_refused(tmp_path: Path, row: RosterRow, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        build_roster(tmp_path / "r", [row], KEY)


def test_a_failed_build_leaves_the_roster_before_it(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    before = (tmp_path / "r").read_bytes()
    with pytest.raises(DocumentError):
        build_roster(tmp_path / "r", [AN, AN], KEY)
    assert (tmp_path / "r").read_bytes() == before


def test_an_empty_roster_is_a_roster(tmp_path: Path) -> None:
    assert build_roster(tmp_path / "r", [], KEY) == 0
    check_roster(tmp_path / "r", KEY)
    assert RosterFile(tmp_path / "r", KEY).find(("n:1",)) is None


def test_another_token_key_is_told_from_an_empty_roster(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    with pytest.raises(DocumentError, match="another token key"):
        RosterFile(tmp_path / "r", bytes(32))


def test_what_is_no_roster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no database at all" * 100)
    (tmp_path / "empty").touch()
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE meta(key, value)").connection.close()
    for name in ("text", "empty", "other", "absent"):
        with pytest.raises(DocumentError):
            check_roster(tmp_path / name, KEY)


def test_a_trigger_or_a_view_in_the_file_is_refused(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    with sqlite3.connect(tmp_path / "r") as db:
        db.execute("CREATE VIEW extra AS SELECT 1")
    db.close()
    with pytest.raises(DocumentError, match="'extra' is not that of"):
        check_roster(tmp_path / "r", KEY)


def test_damage_anywhere_never_shows_as_another_error(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [RosterRow(f"h-{i}", (f"n:{i}",), ("site",)) for i in range(500)], KEY)
    content = (tmp_path / "r").read_bytes()
    chance = random.Random(2405)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "d").write_bytes(damaged)
        try:
            check_roster(tmp_path / "d", KEY)
        except DocumentError:
            refused += 1
    assert refused > 50


def test_a_roster_opened_in_one_thread_serves_another(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    opened: list[RosterFile] = []
    thread = threading.Thread(target=lambda: opened.append(RosterFile(tmp_path / "r", KEY)))
    thread.start()
    thread.join(10)
    assert opened[0].find(AN.identifiers) is not None


def test_a_roster_that_is_let_go_gives_its_file_back(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    held = [RosterFile(tmp_path / "r", KEY)]
    assert _descriptors(tmp_path / "r") == 1
    held.clear()
    gc.collect()
    assert _descriptors(tmp_path / "r") == 0


def _descriptors(path: Path) -> int:
    return [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()].count(str(path))


def test_a_roster_whose_folder_has_odd_characters_opens(tmp_path: Path) -> None:
    folder = tmp_path / "cổng số 1?mode=rwc#%41"
    folder.mkdir()
    build_roster(folder / "r", [AN], KEY)
    check_roster(folder / "r", KEY)


def test_reading_writes_nothing_beside_the_file(tmp_path: Path) -> None:
    build_roster(tmp_path / "r", [AN], KEY)
    RosterFile(tmp_path / "r", KEY).find(AN.identifiers)
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_a_token_key_is_private_and_read_back(tmp_path: Path) -> None:
    key = make_token_key(tmp_path / "token.key")
    assert read_token_key(tmp_path / "token.key") == key
    assert (tmp_path / "token.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        make_token_key(tmp_path / "token.key")


@pytest.mark.parametrize("text", ["", "abcd", "x" * 64, "0" * 66, "ế" * 64])
def test_a_bad_token_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "token.key").write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        read_token_key(tmp_path / "token.key")
    assert not text or text not in str(caught.value)


@pytest.mark.slow
def test_one_million_people_cost_little_memory_and_are_found_at_once(tmp_path: Path) -> None:
    people = 1_000_000
    heard: list[int] = []

    def rows() -> Iterator[RosterRow]:
        chance = random.Random(1)
        for number in range(people):
            yield RosterRow(f"{chance.getrandbits(80):020x}", (f"cccd:{number:012d}", f"number:{number * 7:012d}"),
                            ("site",), ("worker",), "ca-ngay", company=f"cong-ty-{number % 200}")

    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    build_roster(tmp_path / "big", rows(), KEY, heard.append)
    assert heard == list(range(PROGRESS_HOLDERS, people + 1, PROGRESS_HOLDERS))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib < 200 * 1024, "the builder streams"
    check_roster(tmp_path / "big", KEY)
    build_roster(tmp_path / "none", [], KEY)
    grown_kib = _resident_kib(tmp_path / "big", people) - _resident_kib(tmp_path / "none", people)
    assert grown_kib <= 16 * 1024
    roster = RosterFile(tmp_path / "big", KEY)
    took = []
    for number in random.Random(2).sample(range(people), 5_000):
        began = time.perf_counter()
        assert roster.find((f"cccd:{number:012d}",)) is not None
        took.append(time.perf_counter() - began)
    print(f"p50 {sorted(took)[2_500] * 1e6:.0f} us, p99 {sorted(took)[4_950] * 1e6:.0f} us, +{grown_kib} KiB, "
          f"{(tmp_path / 'big').stat().st_size / 1e6:.0f} MB")


def _resident_kib(path: Path, people: int) -> int:
    """What a fresh process weighs after 20,000 look-ups."""
    script = """
import random, sys
from pathlib import Path
from gate.documents.roster_file import RosterFile
roster = RosterFile(Path(sys.argv[1]), bytes(range(32)))
for number in random.Random(3).sample(range(int(sys.argv[2])), 20_000):
    roster.find((f"cccd:{number:012d}",))
print(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])
"""
    return int(subprocess.run([sys.executable, "-c", script, str(path), str(people)], check=True,
                              capture_output=True, text=True).stdout)
