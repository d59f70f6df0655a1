"""The table of formats: who claims what, what each reads, and that hostile text only ever raises CodeError."""

from __future__ import annotations

import json
import random
import unicodedata
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from support_health import card, certificate, hc1, nzcp, seal, shc

from gate.decoder import FORMATS, citizen_id, gp1, number_code, read, wrong
from gate.decoder.text import FIELD_MAX_CHARS, TEXT_MAX_BYTES
from gate.errors import CodeError, MalformedError, UnknownFormatError, WrongCodeError
from gate.model import PAYLOAD_MAX_BYTES, Claims

DATA = Path(__file__).resolve().parents[2] / "../shared/data/vn"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this repository")

PERSONAL = "001093029317|NGUYEN VAN A|1987-01-18|0|162979388586171100|<1<00<0123232422"
MASKED = "******029317|NGUYEN VAN A|1987-**-**|1|162979388586171100|"
CARD = "001090123456|123456789|NGUYỄN VĂN A|01011990|Nam|Phường Bến Nghé, TP. Hồ Chí Minh|15102021"
CARD_2024 = CARD + "|NGUYỄN VĂN B|TRẦN THỊ C|31122040"
NUMBER = number_code.new_number("1234567890")
INSURANCE = "|".join((
    "GD4797931602201", "Nguyễn Văn Ánh".encode().hex(), "18/01/1987", "1", "Tổ 5, Quận 1".encode().hex(), "79 - 034",
    "01/01/2021", "-", "15/12/2020", "79-01", "-", "4", "01/01/2025", "15e1a2b3c4d5-7102", "$",
))
PASS = gp1.issue_pass(
    Claims("kcn-tan-thuan", "h1", "AQIDBAUGBwg=", "00" * 8, valid_until_at=datetime(2027, 1, 1, tzinfo=UTC)),
    Ed25519PrivateKey.generate(),
)
PAYMENT = "00020101021138530010A00000072701230006970436011012345678900208QRIBFTTA53037045802VN6304A1B2"


def with_field(text: str, place: int, value: str) -> bytes:
    """The same code with one field changed."""
    fields = text.split("|")
    fields[place] = value
    return "|".join(fields).encode()


# --- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "name"), [
    (PASS, "gp1"), (PERSONAL, "personal-qr"), (MASKED, "personal-qr"), (CARD, "cccd"), (CARD_2024, "cccd"),
    (NUMBER, "number"), (INSURANCE, "bhyt"), (INSURANCE[5:], "bhyt"),
])
def test_each_code_is_claimed_by_its_own_format_first(text: str, name: str) -> None:
    assert next(known.NAME for known in FORMATS if known.claims(text.encode())) == name


WRONG = [
    ("https://qr.tokhaiyte.vn/location?id=1", "place"), ("HTTPS://QR.PCCOVID.GOV.VN", "place"),
    ("https://vneid.gov.vn/x", "vneid"), ("VNEID:abc", "vneid"),
    ("mdoc:owBjMS4wAYIB2BhYS6QBAiABIVgg", "mdoc"), (PAYMENT, "payment"), ("WIFI:T:WPA;S:xuong;P:secret;;", "wifi"),
    ("BEGIN:VCARD\r\nVERSION:3.0", "contact"), ("MECARD:N:A;;", "contact"),
    ("shc:/2/3/3150570624", "part"), ("http://example.com", "url"), ("www.example.com", "url"),
    ("https://example.com/tokhaiyte.vn/", "url"), ("https://tokhaiyte.vn.example.com", "url"),
]


@pytest.mark.parametrize(("text", "hint"), WRONG)
def test_wrong_code_is_known_by_name(text: str, hint: str) -> None:
    with pytest.raises(WrongCodeError) as raised:
        read(text.encode())
    assert raised.value.hint == hint


def test_every_wrong_kind_has_a_hint_in_vietnamese_and_english() -> None:
    assert {hint for _, hint in WRONG} == set(wrong.HINTS)
    assert all(hint.vi and hint.en and hint.vi != hint.en for hint in wrong.HINTS.values())


@pytest.mark.parametrize("text", ["xin chào", "HC2:6BF", "gp1:ABC", "12345", "1234567890123", "a|b|c", " "])
def test_code_that_nobody_knows_is_an_unknown_format(text: str) -> None:
    with pytest.raises(UnknownFormatError):
        read(text.encode())


@pytest.mark.parametrize("payload", [b"", b"x" * (PAYLOAD_MAX_BYTES + 1)])
def test_payload_of_no_possible_length_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedError, match=str(PAYLOAD_MAX_BYTES)):
        read(payload)


def test_nothing_is_stripped_silently() -> None:
    for text in (CARD, PERSONAL, NUMBER):
        with pytest.raises(CodeError):
            read(text.encode() + b"\r\n")


def test_ten_thousand_mutated_payloads_are_read_or_refused_as_codes() -> None:
    dice = random.Random(20_210_911)
    pieces = (b"|", b"\0", b"\xff", b"<", "ữ".encode(), "\u202e".encode(), b"9")
    texts = (PASS, PERSONAL, MASKED, CARD, CARD_2024, NUMBER, INSURANCE, PAYMENT, "mdoc:x")
    seeds = [*map(str.encode, texts), hc1(), shc(card()), nzcp(), seal(certificate())]
    for _ in range(10_000):
        payload = bytearray(dice.choice(seeds))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(payload) + 1)
            match dice.randrange(4):
                case 0:
                    payload[at:at] = dice.randbytes(dice.randint(1, 4))
                case 1:
                    del payload[at:at + dice.randint(1, 8)]
                case 2:
                    payload[at:at + 1] = dice.choice(pieces)
                case 3:
                    payload += payload[:at]
        with suppress(CodeError):
            read(bytes(payload))


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_payloads_are_read_or_refused_as_codes(payload: bytes) -> None:
    with suppress(CodeError):
        read(payload)


@given(st.text(max_size=40), st.sampled_from(range(7)))
def test_whatever_a_card_prints_comes_out_fit_for_a_page(text: str, place: int) -> None:
    with suppress(CodeError):
        person = read(with_field(CARD, place, text)).person
        printed = "".join(value for value in person.values() if isinstance(value, str))
        assert all(character.isprintable() or unicodedata.category(character) == "Zs" for character in printed)


# --- unified personal QR v1.1 ---------------------------------------------------------------------------


def test_personal_qr_offers_its_qid_and_its_number() -> None:
    token = read(PERSONAL.encode())
    assert token.identifiers == ("qid:162979388586171100", "cccd:001093029317")
    assert token.signed is None
    assert token.person == {
        "id": "001093029317", "name": "NGUYEN VAN A", "dob": "1987-01-18", "declared_by": "self",
        "qid": "162979388586171100", "extension": "<1<00<0123232422",
    }


def test_masked_personal_qr_offers_its_qid_only() -> None:
    token = read(MASKED.encode())
    assert token.identifiers == ("qid:162979388586171100",)
    assert (token.person["id"], token.person["dob"]) == ("******029317", "1987-**-**")
    assert token.person["declared_by"] == "other"


@pytest.mark.parametrize(("number", "identifiers"), [
    ("123456789", ("cmnd:123456789",)), ("B1234567", ()), ("", ()), ("***********7", None), ("******789", ()),
    ("12345678901234567890", ()), ("123456789012345678901", None), ("abc", None), ("１２３４５６７８９", None),
])
def test_personal_qr_number_names_a_paper_only_when_plain(number: str, identifiers: tuple[str, ...] | None) -> None:
    payload = with_field(PERSONAL, 0, number)
    if identifiers is None:
        with pytest.raises(MalformedError, match="number"):
            read(payload)
    else:
        assert read(payload).identifiers == ("qid:162979388586171100", *identifiers)


@pytest.mark.parametrize(("place", "value"), [
    (1, ""), (1, "A\u202eB"), (1, "A\x00B"), (1, "A\u200bB"), (1, "A" * (FIELD_MAX_CHARS + 1)),
    (2, ""), (2, "18-01-1987"), (2, "1987-02-30"), (2, "1987-13-**"), (2, "****-01-18"),
    (4, ""), (4, "qid:1"), (4, "1" * 65), (5, "x" * TEXT_MAX_BYTES),
])
def test_personal_qr_out_of_form_is_malformed(place: int, value: str) -> None:
    with pytest.raises(MalformedError):
        read(with_field(PERSONAL, place, value))


@needs_data
def test_published_example_of_the_personal_qr_is_read() -> None:
    for example in json.loads((DATA / "personal_qr_v1_1.json").read_text())["examples"]:
        if "text_as_published" in example:
            assert read(example["text_as_published"].encode()).identifiers[0] == "qid:162979388586171100"


# --- citizen ID card ------------------------------------------------------------------------------------


def test_card_offers_its_number_and_the_old_one() -> None:
    token = read(CARD.encode())
    assert token.identifiers == ("cccd:001090123456", "cmnd:123456789")
    assert token.person["name"] == "NGUYỄN VĂN A"
    assert token.person["edition"] == 2021
    assert token.warnings == ()


def test_card_of_2024_reads_the_first_seven_and_leaves_the_rest_alone() -> None:
    old, new = read(CARD.encode()), read(CARD_2024.encode())
    assert new.identifiers == old.identifiers
    assert new.person == old.person | {"edition": 2024}


def test_name_in_decomposed_letters_is_composed() -> None:
    decomposed = unicodedata.normalize("NFD", CARD)
    assert decomposed != CARD
    assert read(decomposed.encode()) == read(CARD.encode())


@pytest.mark.parametrize(("place", "value"), [
    (1, "12345678"), (1, "12345678x"), (2, ""), (3, "31022000"), (3, "1990-01-01"), (3, "01/021990"), (3, ""),
    (4, "nam"), (4, "M"), (5, "x" * (FIELD_MAX_CHARS + 1)), (6, "00002021"), (6, "٠١٠١٢٠٢١"),
])
def test_card_out_of_form_is_malformed(place: int, value: str) -> None:
    with pytest.raises(MalformedError):
        read(with_field(CARD, place, value))


def test_card_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(MalformedError, match="UTF-8"):
        read(CARD.encode("utf-16-le")[::2] + b"\xe1\xbb")


def card_samples() -> list[dict[str, Any]]:
    file = DATA / "cccd_qr_samples.json"
    return json.loads(file.read_text()) if file.is_file() else []  # type: ignore[no-any-return]


@needs_data
@pytest.mark.parametrize("sample", card_samples(), ids=lambda sample: sample["text"][:12])
def test_card_sample_gets_its_verdict(sample: dict[str, Any]) -> None:
    if not sample["parse_ok"]:  # six fields (null in the data) are refused too: docs/code-formats.md
        with pytest.raises(MalformedError):
            read(sample["text"].encode())
        return
    token = read(sample["text"].encode())
    expected = {name: sample[name] for name in ("id", "name", "dob", "sex", "address", "issued") if name in sample}
    assert token.person == token.person | expected
    assert token.person["old_id"] == sample.get("old_id", "")
    assert token.person["number_agrees"] is sample["number_agrees"]
    assert bool(token.warnings) is not sample["number_agrees"]


@needs_data
def test_number_cases_are_judged_by_place_sex_and_year() -> None:
    for case in json.loads((DATA / "cccd_number_cases.json").read_text()):
        if case.get("valid", True):
            assert citizen_id.number_agrees(case["number"], date(case["birth_year"], 7, 1), case["sex"])
        else:
            assert not any(
                citizen_id.number_agrees(case["number"], date(year, 7, 1), sex)
                for year in range(1900, 2100) for sex in "MF"
            )


@needs_data
def test_every_place_of_birth_on_record_is_known() -> None:
    provinces = json.loads((DATA / "cccd_province_codes.json").read_text())["legacy_63"]
    countries = json.loads((DATA / "cccd_country_codes.json").read_text())
    for place in (*provinces, *countries):
        assert citizen_id.number_agrees(f"{place}090000001", date(1990, 1, 1), "M")


# --- health-insurance card ------------------------------------------------------------------------------


def test_insurance_card_offers_its_number_and_that_of_social_insurance() -> None:
    token = read(INSURANCE.encode())
    assert token.identifiers == ("bhxh:7931602201", "bhyt:GD4797931602201")
    assert token.signed is None
    assert token.person == {
        "id": "GD4797931602201", "name": "Nguyễn Văn Ánh", "dob": "1987-01-18", "sex": "M", "address": "Tổ 5, Quận 1",
    }


def test_insurance_card_of_the_form_of_2021_offers_ten_digits() -> None:
    assert read(INSURANCE[5:].encode()).identifiers == ("bhxh:7931602201",)


def test_insurance_card_may_know_the_birth_year_only_and_no_address() -> None:
    assert read(with_field(INSURANCE, 2, "1950")).person["dob"] == "1950"
    assert read(with_field(INSURANCE, 4, "-")).person["address"] == ""


@pytest.mark.parametrize(("place", "value"), [
    (1, ""), (1, "Nguyễn"), (1, "4e6"), (1, "ff"), (1, "e280ae"), (1, "00"), (1, "0a"),
    (2, "31/02/1987"), (2, ""), (2, "0000"), (3, "Nam"), (3, "0"), (3, ""), (4, "zz"),
])
def test_insurance_card_out_of_form_is_malformed(place: int, value: str) -> None:
    with pytest.raises(MalformedError):
        read(with_field(INSURANCE, place, value))


def test_insurance_card_cut_short_is_malformed() -> None:
    with pytest.raises(MalformedError, match="fields"):
        read(b"GD4797931602201|4e|1987|1|$")


# --- number codes ---------------------------------------------------------------------------------------

random_digits = st.text("0123456789", min_size=number_code.DIGITS_MIN - 1, max_size=number_code.DIGITS_MAX - 1)


@given(random_digits)
def test_number_that_we_make_is_read(digits: str) -> None:
    number = number_code.new_number(digits)
    assert number.startswith(digits)
    assert read(number.encode()).identifiers == (f"number:{number}",)


@given(random_digits, st.data())
def test_one_wrong_digit_or_two_swapped_are_noticed(digits: str, data: st.DataObject) -> None:
    number = number_code.new_number(digits)
    at = data.draw(st.integers(0, len(number) - 1))
    wrong_digit = number[:at] + data.draw(st.sampled_from("0123456789")) + number[at + 1:]
    swapped = number[:max(at - 1, 0)] + number[max(at - 1, 0):at + 1][::-1] + number[at + 1:]
    for typed in {wrong_digit, swapped} - {number}:
        with pytest.raises(MalformedError, match="check digit"):
            read(typed.encode())


@pytest.mark.parametrize("digits", ["1234", "1" * 12])
def test_number_of_another_length_is_not_made(digits: str) -> None:
    with pytest.raises(ValueError, match="6 to 12"):
        number_code.new_number(digits)


@pytest.mark.parametrize(("holders", "digits"), [(1, 5), (10, 5), (11, 6), (1_000_000, 10), (10_000_000, 11)])
def test_every_holder_has_ten_thousand_possible_numbers(holders: int, digits: int) -> None:
    assert number_code.random_digits_needed(holders) == digits
    assert 10**digits >= holders * number_code.CODES_PER_HOLDER


@pytest.mark.parametrize("holders", [0, 10_000_001])
def test_more_holders_than_numbers_serve_is_an_error(holders: int) -> None:
    with pytest.raises(ValueError, match="10000000 holders"):
        number_code.random_digits_needed(holders)


@given(random_digits)
def test_a_number_under_duress_means_the_one_below_it_and_nothing_else_means_any(digits: str) -> None:
    number = number_code.new_number(digits)
    forced = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert number_code.under_duress(forced.encode()) == number.encode()
    assert number_code.under_duress(number.encode()) is None
    assert number_code.under_duress(b"no number") is None
