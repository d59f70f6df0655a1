"""Card numbers as Wiegand and OSDP readers send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.decoder.card import RAW_BITS_MAX, from_bits, from_raw, parse
from gate.errors import MalformedError


def frame(bits: int, facility: int, number: int) -> str:
    """A frame with right parity, built from the standard's words: even over the first half, odd over the second."""
    inner = f"{facility:0{bits - 18}b}{number:016b}"
    half = len(inner) // 2
    return f"{inner[:half].count('1') % 2}{inner}{1 - inner[half:].count('1') % 2}"


@given(st.sampled_from((26, 34)), st.data())
def test_every_card_of_both_lengths_reads_as_its_numbers(bits, data):
    facility = data.draw(st.integers(0, (1 << (bits - 18)) - 1))
    number = data.draw(st.integers(0, 65_535))
    text = from_bits(frame(bits, facility, number))
    assert text == f"{bits}-{facility}-{number}" == from_raw(frame(bits, facility, number))
    assert parse(text.encode()).identifiers == (f"card:{text}",)


@given(st.sampled_from((26, 34)), st.integers(0, 33))
def test_one_bit_that_is_wrong_is_noticed(bits, place):
    good = frame(bits, 3, 30328)
    place %= bits
    bad = good[:place] + "10"[int(good[place])] + good[place + 1:]
    with pytest.raises(MalformedError, match="parity"):
        from_bits(bad)


def test_another_layout_is_taken_as_it_stands_and_none_or_too_much_is_refused():
    assert from_raw("1" * 37) == f"raw-37-{(1 << 37) - 1:x}"
    for bits in ("", "1" * (RAW_BITS_MAX + 1)):
        with pytest.raises(MalformedError, match="26 and 34 are read"):
            from_raw(bits)


@pytest.mark.parametrize("payload", [b"", b"26-1", b"26-1-1#", b"26-1-1#123456789", b"27-1-1", b"26-1-1 ", b"raw-8-G"])
def test_what_no_reader_of_cards_sends_is_refused(payload):
    with pytest.raises(MalformedError, match="no card's number"):
        parse(payload)
