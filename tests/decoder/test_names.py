"""One person's name on two papers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.decoder.names import births_match, names_match, spellings


@pytest.mark.parametrize(("one", "other"), [
    ("NGUYỄN VĂN ÁNH", "NGUYEN VAN ANH"), ("Nguyễn Văn Ánh", "NGUYEN<<VAN<ANH"), ("Ánh Nguyễn Văn", "NGUYỄN VĂN ÁNH"),
    ("Đặng Thị Ước", "DANG THI UOC"), ("Müller", "MUELLER"), ("Müller", "MULLER"), ("Søren Åberg", "SOEREN AABERG"),
    ("Strauß", "STRAUSS"), ("d'Arsøns - van Halen", "DARSONS<VAN<HALEN"), ("Иванов Пётр", "IVANOV<<PETR"),
    ("Παπαδόπουλος", "PAPADOPOULOS"), ("Ælfþryð", "AELFTHRYD"), ("O’Brien", "OBRIEN"), ("Ольга", "OLGA"),
    ("КРИСТИЈАН МАРИЌ", "MARIKJ<<KRISTIJAN"),
])
def test_one_name_matches_itself_however_it_is_written(one: str, other: str) -> None:
    assert names_match(one, other)
    assert names_match(other, one)


@pytest.mark.parametrize(("one", "other"), [
    ("NGUYEN VAN A", "NGUYEN VAN B"), ("NGUYEN VAN", "NGUYEN VAN A"), ("", ""), ("王小明", "王小明"), ("12", "12"),
    ("AN", "ANH"),
])
def test_different_names_and_names_that_cannot_be_compared_do_not_match(one: str, other: str) -> None:
    assert not names_match(one, other)


@given(st.text("aăâáàảãạđêôơưỹýêễộ NguyễnVănÁnh-", max_size=40))
def test_composed_and_decomposed_letters_are_one(name: str) -> None:
    assert spellings(unicodedata.normalize("NFD", name)) == spellings(unicodedata.normalize("NFC", name))


@given(st.text(max_size=400))
def test_any_text_comes_to_plain_words(name: str) -> None:
    assert all(word.isascii() and word.isupper() for words in spellings(name) for word in words)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("1987-01-18", "1987-01-18", True), ("1987-01-18", "1987-01-19", False), ("1987-01-18", "1987-02-18", False),
    ("1987", "1987-01-18", True), ("1987-01", "1987-01-18", True), ("1987-**-**", "1987-01-18", True),
    ("1987-*-*", "1987-01", True), ("1987-01-18T00:00:00", "1987-01-18", True), ("1986", "1987-01-18", False),
    ("", "", False), ("", "1987-01-18", False), ("****-01-18", "****-01-18", False), ("19", "19", False),
])
def test_birth_dates_agree_in_all_that_both_papers_tell(one: str, other: str, same: bool) -> None:
    assert births_match(one, other) is births_match(other, one) is same
