"""Keys, passes and number codes as the centre gives them out, judged by what a gate makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Engine, select

from gate import cli
from gate.central.db import open_database, reading, writing
from gate.central.db.models import Identifier, Pass, Person
from gate.central.issuing import CLOCK_LEEWAY, find_pass, issue, issue_number, last_moment, number_digits, revoke
from gate.central.keys import (
    SigningKey,
    enter_key,
    load_private_key,
    load_signing_key,
    make_private_key,
    read_issuers,
)
from gate.clock import SHIFT_START
from gate.decoder import gp1, number_code
from gate.errors import DocumentError, UsageError
from gate.model import Claims
from gate.trust import Key, Purpose, kid_of, verify

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
YEAR_AHEAD = SHIFT_START + timedelta(days=365)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def new_key(folder: Path, name: str = "issuer.pem", purpose: Purpose = "pass", **fields: object) -> Path:
    path = folder / name
    public_key = make_private_key(path).public_key()
    key = Key(kid_of(public_key), public_key, "kcn-tan-thuan", purpose, "VN", **fields)
    enter_key(folder / "issuers.json", key)
    return path


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_signing_key(new_key(tmp_path), tmp_path / "issuers.json", "pass", SHIFT_START)


def add_person(engine: Engine, holder: str = "h1", **fields: object) -> None:
    with writing(engine) as session:
        session.add(Person(holder=holder, full_name="Nguyễn Văn An", created_at=SHIFT_START,
                           **{"areas": ["kho-a"], "roles": ["cong-nhan"], **fields}))


def pass_of(engine: Engine, key: SigningKey, valid_until: datetime = YEAR_AHEAD, **ids: list[str]) -> str:
    with writing(engine) as session:
        person = session.scalars(select(Person)).one()
        return issue(session, key, person, now=SHIFT_START, valid_until=valid_until, **ids).text


def read_at_gate(text: str, tmp_path: Path) -> Claims:
    claims = verify(gp1.parse(text.encode()), read_issuers(tmp_path / "issuers.json"))
    assert claims is not None
    return claims


# --- keys ------------------------------------------------------------------------------------------------


def test_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert new_key(tmp_path).stat().st_mode & 0o777 == 0o600


def test_key_is_never_overwritten(tmp_path: Path) -> None:
    before = new_key(tmp_path).read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        make_private_key(tmp_path / "issuer.pem")
    assert (tmp_path / "issuer.pem").read_bytes() == before


def test_passphrase_protects_the_file(tmp_path: Path) -> None:
    made = make_private_key(tmp_path / "k.pem", b"mot hai ba")
    assert load_private_key(tmp_path / "k.pem", b"mot hai ba").public_key() == made.public_key()
    with pytest.raises(UsageError, match="another passphrase"):
        load_private_key(tmp_path / "k.pem", b"bon")
    with pytest.raises(UsageError, match="give --passphrase-file"):
        load_private_key(tmp_path / "k.pem")


def test_passphrase_that_is_not_needed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="drop --passphrase-file"):
        load_private_key(new_key(tmp_path), b"x")


def test_what_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("hello")
    (tmp_path / "ec.pem").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for name, said in (("text.pem", "not a key"), ("ec.pem", "not an Ed25519 key"), ("none.pem", "No such file")):
        with pytest.raises(UsageError, match=said):
            load_private_key(tmp_path / name)


def test_issuers_document_keeps_the_keys_before(tmp_path: Path) -> None:
    new_key(tmp_path, "a.pem")
    new_key(tmp_path, "b.pem", "recorder", issuer_name="KCN Tân Thuận")
    keys = read_issuers(tmp_path / "issuers.json").keys
    assert [(entry.purpose, entry.issuer_name) for entry in keys] == [
        ("pass", "KCN Tân Thuận"), ("recorder", "KCN Tân Thuận")]


def test_damaged_issuers_document_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "issuers.json").write_text("{}")
    with pytest.raises(DocumentError, match=r"issuers\.json"):
        new_key(tmp_path)
    assert (tmp_path / "issuers.json").read_text() == "{}"


def test_key_that_no_gate_can_use_is_not_lost_by_adding_another(tmp_path: Path) -> None:
    new_key(tmp_path, "a.pem")
    document = json.loads((tmp_path / "issuers.json").read_text())
    document["issuers"][0]["keys"].append({"kid": "AQ==", "purpose": "health", "certificate": "AA=="})
    (tmp_path / "issuers.json").write_text(json.dumps(document))
    with pytest.raises(DocumentError, match="key AQ==: not a certificate"):
        new_key(tmp_path, "b.pem")
    assert json.loads((tmp_path / "issuers.json").read_text()) == document


def test_key_that_no_gate_would_believe_signs_nothing(tmp_path: Path) -> None:
    recorder = new_key(tmp_path, "recorder.pem", "recorder")
    old = new_key(tmp_path, "old.pem", valid_until_at=SHIFT_START)
    make_private_key(tmp_path / "stranger.pem")
    for path, said in ((recorder, "no such key for 'pass'"), (old, "time ended"),
                       (tmp_path / "stranger.pem", "no such key")):
        with pytest.raises(UsageError, match=said):
            load_signing_key(path, tmp_path / "issuers.json", "pass", SHIFT_START)


# --- passes ----------------------------------------------------------------------------------------------


def test_gate_reads_what_was_issued(engine: Engine, key: SigningKey, tmp_path: Path) -> None:
    add_person(engine)
    claims = read_at_gate(pass_of(engine, key), tmp_path)
    assert (claims.issuer, claims.subject) == ("kcn-tan-thuan", "h1")
    assert (claims.areas, claims.roles) == ({"kho-a"}, {"cong-nhan"})
    assert (claims.valid_from_at, claims.valid_until_at) == (SHIFT_START - CLOCK_LEEWAY, YEAR_AHEAD)
    with reading(engine) as session:
        assert session.scalars(select(Pass.cti)).all() == [claims.pass_id]


def test_pass_may_carry_less_than_the_person(engine: Engine, key: SigningKey, tmp_path: Path) -> None:
    add_person(engine)
    claims = read_at_gate(pass_of(engine, key, areas=["san"], roles=[]), tmp_path)
    assert (claims.areas, claims.roles) == ({"san"}, frozenset())


def test_pass_never_outlives_its_person(engine: Engine, key: SigningKey, tmp_path: Path) -> None:
    first, last = SHIFT_START + timedelta(days=1), SHIFT_START + timedelta(days=9)
    add_person(engine, valid_from=first, valid_until=last)
    claims = read_at_gate(pass_of(engine, key), tmp_path)
    assert (claims.valid_from_at, claims.valid_until_at) == (first, last)


def test_pass_never_outlives_its_key(engine: Engine, tmp_path: Path) -> None:
    add_person(engine)
    last = SHIFT_START + timedelta(days=9)
    path = new_key(tmp_path, valid_until_at=last)
    key = load_signing_key(path, tmp_path / "issuers.json", "pass", SHIFT_START)
    assert read_at_gate(pass_of(engine, key), tmp_path).valid_until_at == last


def test_person_whose_time_is_over_gets_no_pass(engine: Engine, key: SigningKey) -> None:
    add_person(engine, valid_until=SHIFT_START)
    with pytest.raises(UsageError, match="holder h1: no time is left"):
        pass_of(engine, key)
    with reading(engine) as session:
        assert session.scalars(select(Pass)).all() == []


def test_pass_that_is_too_long_says_what_to_shorten(engine: Engine, key: SigningKey) -> None:
    add_person(engine, areas=[f"khu-vuc-rat-dai-{n}" for n in range(12)])
    with pytest.raises(UsageError, match="fewer areas"):
        pass_of(engine, key)


def test_days_end_at_local_midnight() -> None:
    evening = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)  # the 24th already in Ho Chi Minh City
    assert last_moment(evening, 0, ZONE) == datetime(2026, 11, 25, tzinfo=ZONE)
    assert last_moment(evening, 180, ZONE) == datetime(2027, 5, 24, tzinfo=ZONE)


@pytest.mark.parametrize("days", [-1, 3661])
def test_days_out_of_bounds_are_refused(days: int) -> None:
    with pytest.raises(UsageError, match="to 3660 days"):
        last_moment(SHIFT_START, days, ZONE)


def test_pass_is_withdrawn_once_by_the_number_on_its_card(engine: Engine, key: SigningKey) -> None:
    add_person(engine)
    pass_of(engine, key)
    with writing(engine) as session:
        cti = session.scalars(select(Pass.cti)).one()
        found = find_pass(session, f"{cti[:4]} {cti[4:].upper()}")
        assert revoke([found], now=SHIFT_START, reason="mất thẻ") == [cti]
        assert revoke([found], now=SHIFT_START, reason="again") == []
        assert found.revoke_reason == "mất thẻ"
        with pytest.raises(UsageError, match="no pass of that number"):
            find_pass(session, "00")


# --- number codes ----------------------------------------------------------------------------------------


def test_number_code_is_read_by_the_gate_and_listed(engine: Engine) -> None:
    add_person(engine)
    with writing(engine) as session:
        person = session.scalars(select(Person)).one()
        number = issue_number(session, person, number_digits(session))
    assert number_code.parse(number.encode()).identifiers == (f"number:{number}",)
    with reading(engine) as session:
        assert session.scalars(select(Identifier.value)).all() == [number]


def test_new_number_replaces_the_old_one(engine: Engine) -> None:
    add_person(engine)
    with writing(engine) as session:
        person = session.scalars(select(Person)).one()
        first, second = issue_number(session, person, 8), issue_number(session, person, 8)
    with reading(engine) as session:
        assert first != second
        assert session.scalars(select(Identifier.value)).all() == [second]


def test_numbers_are_unique_even_where_they_are_few(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = iter("00000" "00000" "11111")
    monkeypatch.setattr("gate.central.issuing.secrets.choice", lambda _: next(digits))
    add_person(engine, "h1")
    add_person(engine, "h2")
    with writing(engine) as session:
        numbers = [issue_number(session, person, 6) for person in session.scalars(select(Person))]
    assert [number[:5] for number in numbers] == ["00000", "11111"]


def test_every_digit_is_as_likely_as_the_others(engine: Engine) -> None:
    add_person(engine)
    with writing(engine) as session:
        person = session.scalars(select(Person)).one()
        seen = Counter("".join(issue_number(session, person, 12)[:11] for _ in range(200)))
    assert min(seen.values()) > 130, seen  # 220 expected of each; 6 standard deviations


def test_people_in_the_database_set_the_length(engine: Engine) -> None:
    with writing(engine) as session:
        assert number_digits(session) == 6
        session.add_all(Person(holder=f"h{n}", full_name="A", created_at=SHIFT_START) for n in range(101))
        assert number_digits(session) == 8, "101 people need more than a million codes, and the check digit"
        assert number_digits(session, 10) == 10


@pytest.mark.parametrize("digits", [7, 13])
def test_length_that_is_too_guessable_or_too_long_is_refused(engine: Engine, digits: int) -> None:
    with writing(engine) as session:
        session.add_all(Person(holder=f"h{n}", full_name="A", created_at=SHIFT_START) for n in range(101))
        with pytest.raises(UsageError, match="8 to 12 digits"):
            number_digits(session, digits)


# --- the command -----------------------------------------------------------------------------------------


class Desk:
    """The issuing desk: runs `gate central issue` in its own folder and keeps what it said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys, self.err = folder, capsys, ""
        self.db = f"sqlite:///{folder / 'central.db'}"

    def __call__(self, *words: str, code: int = 0) -> list[dict[str, object]]:
        database = [] if words[0] == "key" else ["--db", self.db]
        assert cli.main(["central", "issue", words[0], *database, "--json", *words[1:]]) == code
        out, self.err = self._capsys.readouterr()
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = Desk(tmp_path, capsys)
    desk("key", "--out", str(tmp_path / "issuer.pem"), "--issuer", "kcn-tan-thuan", "--name", "KCN Tân Thuận")
    (tmp_path / "people.csv").write_text(
        "ho_ten,cccd,khu_vuc\nNguyễn Văn An,001093029317,kho-a\nTrần Thị Bình,001193029318,kho-b\n", "utf-8")
    desk("people", str(tmp_path / "people.csv"))
    return desk


def signing(desk: Desk, *words: str) -> tuple[str, ...]:
    return ("pass", "--key", str(desk.folder / "issuer.pem"), "--days", "180", *words)


def test_desk_issues_to_everybody_with_files_and_cards(desk: Desk) -> None:
    out = desk.folder / "passes"
    issued = desk(*signing(desk, "--all", "--out", str(out), "--png", "--svg", "--card"))
    holders = {row["holder"] for row in issued}
    assert {read_at_gate(str(row["text"]), desk.folder).subject for row in issued} == holders
    names = {path.name for path in out.iterdir()}
    assert names == {f"{holder}.{kind}" for holder in holders for kind in ("png", "svg")} | {
        "cards.pdf", "sheets.pdf", "passes.csv"}
    assert "Nguyễn Văn An" in (out / "passes.csv").read_text("utf-8-sig")


def test_missing_means_those_without_a_valid_pass(desk: Desk) -> None:
    assert len(desk(*signing(desk, "--person", "001093029317"))) == 1
    assert len(desk(*signing(desk, "--missing"))) == 1
    assert desk(*signing(desk, "--missing")) == []
    desk("revoke", "--person", "001093029317", "--reason", "mất thẻ")
    assert len(desk(*signing(desk, "--missing"))) == 1


def test_batch_with_one_card_that_cannot_be_printed_issues_none(desk: Desk) -> None:
    (desk.folder / "people.csv").write_text("ho_ten,cccd\n金哲洙,001093029319\n", "utf-8")
    desk("people", str(desk.folder / "people.csv"))
    out = desk.folder / "passes"
    desk(*signing(desk, "--all", "--out", str(out), "--png", "--card"), code=2)
    assert "Latin letters" in desk.err
    assert desk("passes") == []
    assert list(out.iterdir()) == []


def test_number_codes_go_to_those_who_have_none(desk: Desk) -> None:
    first = desk("number", "--missing")
    assert len({row["number"] for row in first}) == 2
    assert desk("number", "--missing") == []
    assert desk("number", "--person", "001093029317")[0]["number"] not in {row["number"] for row in first}


def test_withdrawing_a_person_takes_passes_and_number(desk: Desk) -> None:
    issued = desk(*signing(desk, "--person", "001093029317"))
    desk("number", "--person", "001093029317")
    assert desk("revoke", "--person", "001093029317", "--reason", "nghỉ việc") == [
        {"schema": "gate.revoked/1", "passes": [issued[0]["cti"]], "number": True}]
    assert [row["revoked"] for row in desk("passes")] == [True]
    assert desk("revoke", "--person", "001093029317", "--reason", "again", code=1)[0]["passes"] == []


def test_bad_line_keeps_everybody_out_unless_skipped(desk: Desk) -> None:
    file = desk.folder / "people.csv"
    file.write_text("ho_ten,cccd\nChi,1093029317\nDũng,001093029320\n", "utf-8")
    assert desk("people", str(file), code=1)[0]["imported"] is False
    assert "line 2, cccd: has 10 digits" in desk.err
    assert desk("people", "--skip-bad", str(file))[0]["added"] == 1


def test_list_shows_no_number(desk: Desk) -> None:
    number = str(desk("number", "--missing")[0]["number"])
    listed = json.dumps(desk("list"))
    assert number not in listed
    assert "001093029317" not in listed


@pytest.mark.parametrize(("words", "said"), [
    (("pass", "--key", "none.pem", "--days", "1", "--all"), "No such file"),
    (("key", "--out", "k.pem", "--issuer", "KCN Tân Thuận"), "a-z, 0-9 and hyphens"),
    (("key", "--out", "k.pem", "--issuer", "kcn", "--days", "0"), "1 to 3660 days"),
    (("key", "--out", "none/k.pem", "--issuer", "kcn"), "No such file"),
    (("people", "none.csv"), "No such file"),
    (("revoke", "--pass", "00", "--reason", "x"), "no pass of that number"),
    (("number", "--person", "000000000000"), "nobody has that number"),
])
def test_wrong_use_says_what_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str,
) -> None:
    monkeypatch.chdir(desk.folder)
    desk(*words, code=2)
    assert said in desk.err


def test_formats_without_a_folder_are_refused(desk: Desk) -> None:
    desk(*signing(desk, "--all", "--card"), code=2)
    assert "--out DIR" in desk.err


def test_damaged_issuers_document_leaves_no_orphan_key(desk: Desk) -> None:
    (desk.folder / "issuers.json").write_text("{}")
    desk("key", "--out", str(desk.folder / "second.pem"), "--issuer", "kcn", code=3)
    assert not (desk.folder / "second.pem").exists()


def test_protected_key_signs_with_its_passphrase_file(desk: Desk) -> None:
    (desk.folder / "words").write_text("một hai ba\n", "utf-8")
    protected = ("--passphrase-file", str(desk.folder / "words"))
    desk("key", "--out", str(desk.folder / "safe.pem"), "--issuer", "kcn-tan-thuan", *protected)
    assert b"ENCRYPTED" in (desk.folder / "safe.pem").read_bytes()
    assert len(desk("pass", "--key", str(desk.folder / "safe.pem"), "--days", "1", "--all", *protected)) == 2
