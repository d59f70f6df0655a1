"""People come in from a personnel office's file, with every fault named, and go out as rows of the roster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from gate.central.db import open_database, reading, writing
from gate.central.db.models import Identifier, Pass, Person
from gate.central.people import ImportReport, find_person, import_people, revocations, roster_rows
from gate.central.people_csv import PeopleCsv
from gate.clock import SHIFT_START
from gate.errors import UsageError

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HEADING = "ho_ten,ngay_sinh,cccd,cmnd,qid,cong_ty,khu_vuc,vai_tro,ca,hieu_luc_tu,hieu_luc_den"
AN = ("Nguyễn Văn An,18/01/1993,001093029317,,162979388586171100,Điện tử Tân Thuận,"
      "kho-a;xuong-1,cong-nhan,ca-ngay,,31/12/2026")
BINH = "Trần Thị Bình,1988,,123456789,,,xuong-1,,,,"

Importer = Callable[..., ImportReport]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bring_in(engine: Engine, tmp_path: Path) -> Importer:
    def bring(*lines: str, encoding: str = "utf-8", skip_bad: bool = False) -> ImportReport:
        path = tmp_path / "people.csv"
        path.write_text("\n".join(lines) + "\n", encoding)
        with writing(engine) as session:
            return import_people(session, path, now=SHIFT_START, zone=ZONE, skip_bad=skip_bad)
    return bring


def only_person(engine: Engine) -> Person:
    with reading(engine) as session:
        person = session.scalars(select(Person)).one()
        assert person.identifiers is not None
        return person


def numbers(person: Person) -> dict[str, str]:
    return {identifier.kind: identifier.value for identifier in person.identifiers}


def only_problem(report: ImportReport) -> str:
    assert len(report.problems) == 1, report.problems
    return str(report.problems[0])


def count(engine: Engine) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(Person)) or 0


def test_line_becomes_a_person_with_everything_it_says(engine: Engine, bring_in: Importer) -> None:
    assert bring_in(HEADING, AN).added == 1
    person = only_person(engine)
    assert (person.full_name, person.birth_date) == ("Nguyễn Văn An", "1993-01-18")
    assert person.company == "Điện tử Tân Thuận"
    assert (person.areas, person.roles, person.schedule) == (["kho-a", "xuong-1"], ["cong-nhan"], "ca-ngay")
    assert numbers(person) == {"cccd": "001093029317", "qid": "162979388586171100"}
    assert len(person.holder) == 26


def test_last_day_is_included_whole(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN)
    assert only_person(engine).valid_until == datetime(2027, 1, 1, tzinfo=ZONE)


def test_first_day_begins_at_local_midnight(engine: Engine, bring_in: Importer) -> None:
    bring_in("full_name,cccd,valid_from", "An,001093029317,2026-11-23")
    assert only_person(engine).valid_from == datetime(2026, 11, 22, 17, tzinfo=UTC)


@pytest.mark.parametrize("heading", [
    "full_name,cccd,areas", "Họ và tên,Số CCCD,Khu vực", "HO TEN,CCCD,KHU VUC", "ho_ten;cccd;khu_vuc",
    "ho_ten\tcccd\tkhu_vuc",
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_headings_are_known_however_the_office_writes_them(
    engine: Engine, bring_in: Importer, heading: str, encoding: str,
) -> None:
    separator = next(mark for mark in ";\t," if mark in heading)
    assert bring_in(heading, separator.join(["An", "001093029317", "kho-a"]), encoding=encoding).added == 1


def test_same_file_again_changes_nothing(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN, BINH)
    holder = {row.holder for row in rows(engine)}
    report = bring_in(HEADING, AN, BINH)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 2)
    assert {row.holder for row in rows(engine)} == holder


def test_known_number_brings_its_person_up_to_date(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN)
    holder = only_person(engine).holder
    report = bring_in("full_name,cccd,cmnd,company", "Nguyễn Văn An,001093029317,123456789,Dệt may Bến Nghé")
    person = only_person(engine)
    assert report.updated == 1
    assert (person.holder, person.company) == (holder, "Dệt may Bến Nghé")
    assert set(numbers(person)) == {"cccd", "cmnd", "qid"}
    assert person.areas == ["kho-a", "xuong-1"], "a column that the file lacks stays as it was"


def test_replaced_number_is_pointed_out(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN)
    report = bring_in("full_name,cccd,qid", "Nguyễn Văn An,001093029317,999")
    assert [warning.column for warning in report.warnings] == ["qid"]
    assert numbers(only_person(engine))["qid"] == "999"


@pytest.mark.parametrize(("column", "value", "said"), [
    ("cccd", "1093029317", "put 00 in front"),
    ("cccd", "93029317", "8 digits instead of 12"),
    ("cccd", "123456789", "belongs in cmnd"),
    ("cccd", "1,09303E+09", "power of ten"),
    ("cccd", "00109302931A", "other than digits"),
    ("cccd", "٠٠١٠٩٣٠٢٩٣١٧", "other than digits"),
    ("cmnd", "12345678", "put 0 in front"),
    ("qid", "16 29", "no QID"),
    ("ngay_sinh", "01/18/1993", "write 18/01/1993"),
    ("ngay_sinh", "1993-18-01", "write 18/01/1993"),
    ("ngay_sinh", "31/02/1993", "no day 31/02/1993"),
    ("ngay_sinh", "18/01/93", "no date"),
    ("ngay_sinh", "18/01/0093", "year 93"),
    ("khu_vuc", "Kho A", "write for example kho-a"),
    ("vai_tro", ";".join(f"r{n}" for n in range(33)), "33 ids; at most 32"),
    ("ca", "Ca đêm", "write for example ca-dem"),
    ("ho_ten", "", "a person needs a name"),
    ("ho_ten", "A" * 101, "101 characters; at most 100"),
    ("ho_ten", "An\u202e", "invisible"),
    ("hieu_luc_den", "01/01/2020", "before valid_from"),
])
def test_fault_is_named_with_its_repair(
    engine: Engine, bring_in: Importer, column: str, value: str, said: str,
) -> None:
    cells = dict(zip(HEADING.split(","), AN.split(","), strict=True))
    cells |= {"hieu_luc_tu": "01/01/2026", column: value}
    report = bring_in(HEADING, BINH, ",".join(f'"{cell}"' for cell in cells.values()))
    assert only_problem(report).startswith("line 3, ")
    assert said in only_problem(report)
    assert count(engine) == 0


def test_message_repeats_no_identity_number(bring_in: Importer) -> None:
    assert "1093029317" not in only_problem(bring_in("ho_ten,cccd", "An,1093029317"))


def test_all_faults_are_told_at_once_and_nothing_is_imported(engine: Engine, bring_in: Importer) -> None:
    report = bring_in(HEADING, AN, ",31/02/1990,12,,,,Kho A,,,,", "Chi,,,,,,,,,,")
    assert [(problem.line, problem.column) for problem in report.problems] == [
        (3, "full_name"), (3, "birth_date"), (3, "cccd"), (3, "areas"), (4, "line"),
    ]
    assert (report.imported, report.bad, report.added, count(engine)) == (False, 2, 0, 0)


def test_skip_bad_leaves_out_only_the_bad_lines(engine: Engine, bring_in: Importer) -> None:
    report = bring_in(HEADING, AN, "Chi,,,,,,,,,,", BINH, skip_bad=True)
    assert (report.imported, report.bad, report.added, count(engine)) == (True, 1, 2, 2)


def test_number_that_stands_twice_names_the_first_line(engine: Engine, bring_in: Importer) -> None:
    assert "same as in line 3" in only_problem(bring_in(HEADING, AN, BINH, BINH))
    assert count(engine) == 0


def test_numbers_of_two_known_people_are_not_merged(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN, BINH)
    assert "two people" in only_problem(bring_in("ho_ten,cccd,cmnd", "An,001093029317,123456789"))


def test_birth_year_that_differs_from_the_number_only_warns(bring_in: Importer) -> None:
    report = bring_in("ho_ten,cccd,ngay_sinh,khu_vuc", "An,001093029317,18/01/1987,kho-a")
    assert [warning.column for warning in report.warnings] == ["birth_date"]
    assert report.added == 1


def test_person_without_areas_is_pointed_out(bring_in: Importer) -> None:
    assert [str(w) for w in bring_in("ho_ten,cccd,khu_vuc", "An,001093029317,").warnings] == [
        "line 2, areas: is empty: this person may enter nowhere"]


def test_other_headings_are_ignored_and_said(bring_in: Importer) -> None:
    assert bring_in("STT,ho_ten,cccd,Ghi chú", "1,An,001093029317,x").ignored_headings == ["STT", "Ghi chú"]


def test_old_windows_encoding_is_named_by_line(bring_in: Importer) -> None:
    assert "CSV UTF-8" in only_problem(bring_in("ho_ten,cccd", "José,001093029317", encoding="cp1252"))


def test_surplus_field_and_open_quote_are_faults_of_their_line(bring_in: Importer) -> None:
    report = bring_in("ho_ten,cccd", "An,001093029317,x", '"Bình,001093029318')
    assert [problem.line for problem in report.problems] == [2, 3]


@pytest.mark.parametrize(("text", "said"), [
    ("", "needs a heading"), ("ten,cccd\n", "needs a heading"), ("ho_ten,cong_ty\n", "needs a heading"),
    ("ho_ten,full_name,cccd\n", "two headings mean full_name"), ('"ho_ten,cccd\n', "cannot be split"),
])
def test_heading_that_cannot_serve_says_what_is_missing(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        PeopleCsv(path, ZONE)


def test_utf16_heading_says_how_to_save(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(HEADING, "utf-16")
    with pytest.raises(UsageError, match="CSV UTF-8"):
        PeopleCsv(path, ZONE)


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        PeopleCsv(tmp_path / "none.csv", ZONE)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=300))
def test_any_bytes_give_rows_or_problems_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, body: bytes,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"people-{os.getpid()}.csv"
    path.write_bytes(HEADING.encode() + b"\n" + body)
    for row in PeopleCsv(path, ZONE):
        assert row.problems or (row.fields["full_name"] and row.identifiers)


def rows(engine: Engine) -> list:  # type: ignore[type-arg]
    with reading(engine) as session:
        return list(roster_rows(session))


def test_roster_holds_each_person_once_with_all_numbers(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN, BINH)
    with writing(engine) as session:
        session.add(Identifier(person_id=1, kind="number", value="123450"))
    an, binh = rows(engine)
    assert an.identifiers == ("cccd:001093029317", "qid:162979388586171100", "number:123450")
    assert (an.areas, an.roles, an.schedule, an.company) == (
        ("kho-a", "xuong-1"), ("cong-nhan",), "ca-ngay", "Điện tử Tân Thuận")
    assert (an.valid_from, an.valid_until) == (None, datetime(2027, 1, 1, tzinfo=ZONE))
    assert binh.identifiers == ("cmnd:123456789",)


def test_roster_names_nobody(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN)
    assert "Nguyễn" not in repr(rows(engine))


def test_thousands_come_through_whole_and_in_order(engine: Engine, bring_in: Importer) -> None:
    report = bring_in("ho_ten,cccd,cmnd", *(f"Người {n},{n:012},{n:09}" for n in range(2000)))
    assert report.added == 2000
    assert [row.identifiers for row in rows(engine)] == [(f"cccd:{n:012}", f"cmnd:{n:09}") for n in range(2000)]


def test_person_is_found_by_any_number_or_holder_id(engine: Engine, bring_in: Importer) -> None:
    bring_in(HEADING, AN, BINH)
    with reading(engine) as session:
        an = find_person(session, "001093029317")
        assert find_person(session, an.holder) is find_person(session, "162979388586171100") is an
        with pytest.raises(UsageError, match="nobody"):
            find_person(session, "000000000000")


def test_value_of_two_people_asks_for_the_holder_id(engine: Engine, bring_in: Importer) -> None:
    bring_in("ho_ten,cccd,qid", "An,001093029317,", "Bình,,001093029317")
    with reading(engine) as session, pytest.raises(UsageError, match="holder id"):
        find_person(session, "001093029317")


def test_withdrawn_passes_are_revoked_until_they_expire_anyway(engine: Engine) -> None:
    def issued(cti: str, *, revoked: bool, days: int) -> Pass:
        return Pass(cti=cti, key_id="k", issued_at=SHIFT_START, valid_from=SHIFT_START,
                    valid_until=SHIFT_START + timedelta(days=days), revoked_at=SHIFT_START if revoked else None)

    with writing(engine) as session:
        session.add_all([issued("aa", revoked=True, days=9), issued("bb", revoked=False, days=9),
                         issued("cc", revoked=True, days=1)])
    with reading(engine) as session:
        assert revocations(session, SHIFT_START + timedelta(days=2)).passes == {"aa"}
