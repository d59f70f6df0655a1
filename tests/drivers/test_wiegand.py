from __future__ import annotations

import json
import random
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.decoder import card
from gate.drivers.wiegand import EDGE, FRAME_GAP_S, WiegandReader, WiegandSettings
from gate.errors import MalformedError
from gate.model import Direction, Scan

CARDS = Path(__file__).resolve().parents[2] / "../shared/data/wiegand/h10301.json"
FRAME = "01110100101110110011110001"
SHOWN = b"26-233-30328"
BIT_S = 0.002


def edges(bits: str, mono: float) -> bytes:
    return b"".join(EDGE.pack(mono + at * BIT_S, bit.encode()) for at, bit in enumerate(bits))


class Wires:
    """Plays frames to a reader at times of the test's own."""

    def __init__(self, **settings: object) -> None:
        self.said: list[Scan] = []
        self.mono = 100.0
        self.reader = WiegandReader("card", Direction.ENTRY, WiegandSettings(d0_pin=5, d1_pin=6, **settings), None)
        self.reader._say = self.said.append

    def frame(self, bits: str) -> None:
        self.reader.take(edges(bits, self.mono), self.mono)
        self.pause(len(bits) * BIT_S + 0.1)

    def keys(self, keys: str) -> None:
        for key in keys:
            self.frame(f"{'0123456789*#'.index(key):04b}")

    def pause(self, seconds: float) -> None:
        self.mono += seconds
        self.reader.take(b"", self.mono)

    @property
    def payloads(self) -> list[tuple[bytes, bool]]:
        return [(scan.payload, scan.card) for scan in self.said]


@pytest.mark.skipif(not CARDS.is_file(), reason="the shared test data is not beside this repository")
def test_published_cards_are_read_and_those_of_wrong_parity_refused():
    for case in json.loads(CARDS.read_text()):
        if case["parity_ok"]:
            assert card.from_bits(case["bits"]) == f"26-{case['facility']}-{case['card']}"
        else:
            with pytest.raises(MalformedError):
                card.from_bits(case["bits"])


@pytest.mark.parametrize(("length", "facility_bits"), [(26, 8), (34, 16)])
@given(data=st.data())
def test_every_card_is_read_and_any_one_wrong_bit_is_refused(length, facility_bits, data):
    facility, number = data.draw(st.integers(0, 2**facility_bits - 1)), data.draw(st.integers(0, 0xFFFF))
    inner = f"{facility:0{facility_bits}b}{number:016b}"
    half = len(inner) // 2
    bits = str(inner[:half].count("1") % 2) + inner + str(1 - inner[half:].count("1") % 2)
    assert card.parse(card.from_bits(bits).encode()).identifiers == (f"card:{length}-{facility}-{number}",)
    wrong = data.draw(st.integers(0, length - 1))
    with pytest.raises(MalformedError, match="wires"):
        card.from_bits(bits[:wrong] + ("1" if bits[wrong] == "0" else "0") + bits[wrong + 1:])


@given(st.binary(max_size=60))
def test_only_the_text_of_a_card_is_a_card(payload):
    try:
        token = card.parse(payload)
    except MalformedError:
        return
    assert token.identifiers == (f"card:{payload.decode()}",)


def test_card_opens_by_itself_where_no_pin_is_asked_for():
    wires = Wires()
    wires.frame(FRAME)
    assert wires.payloads == [(SHOWN, True)]


def test_card_held_to_the_reader_is_one_scan():
    wires = Wires()
    wires.frame(FRAME)
    wires.frame(FRAME)
    assert len(wires.said) == 1


def test_card_and_pin_are_one_scan():
    wires = Wires(pin_s=10)
    wires.frame(FRAME)
    assert wires.said == []
    wires.keys("1234#")
    assert wires.payloads == [(SHOWN + b"#1234", True)]


def test_keys_in_eight_bits_are_read_and_a_damaged_one_is_not():
    wires = Wires()
    for bits in ("11100001", "11010010", "11010011", "01001011"):
        wires.frame(bits)
    assert wires.payloads == [(b"12", False)]
    assert wires.reader.dropped == 1


def test_number_typed_without_a_card_is_a_number_code():
    wires = Wires(pin_s=10)
    wires.keys("123456#")
    assert wires.payloads == [(b"123456", False)]


def test_digits_before_a_card_are_not_its_pin():
    wires = Wires(pin_s=10)
    wires.keys("99")
    wires.frame(FRAME)
    wires.keys("1234#")
    assert wires.payloads == [(SHOWN + b"#1234", True)]


@pytest.mark.parametrize("leave", [lambda wires: wires.pause(10.0), lambda wires: wires.keys("*")])
def test_card_left_or_cleared_lends_itself_to_nobody(leave):
    wires = Wires(pin_s=10)
    wires.frame(FRAME)
    leave(wires)
    wires.keys("1234#")
    assert wires.payloads == [(b"1234", False)]


def test_frames_run_together_are_dropped_and_the_next_card_is_read():
    wires = Wires()
    wires.frame(FRAME + FRAME)
    wires.frame("1" * 5000)
    wires.frame(FRAME)
    assert wires.payloads == [(SHOWN, True)]
    assert wires.reader.dropped == 2


def test_ten_thousand_random_frames_neither_end_the_reader_nor_pile_up():
    wires, noise = Wires(pin_s=5), random.Random(7)
    for _ in range(10_000):
        bits = "".join(noise.choices("01", k=noise.choice([1, 4, 8, 26, 34, noise.randrange(1, 80)])))
        wires.frame(bits)
        assert len(wires.reader._bits) <= 65
    assert all(scan.card or scan.payload.isdigit() for scan in wires.said)
    assert wires.reader.silence_s() in (None, 5.0, 8.0, FRAME_GAP_S)


def test_card_on_wires_is_a_scan(pins, heard):
    reader = WiegandReader("card", Direction.EXIT, WiegandSettings(d0_pin=5, d1_pin=6), pins)
    opened, open_wires = Event(), reader.open
    reader.open = lambda: (open_wires(), opened.set())[0]
    reader.start(heard)
    assert opened.wait(20)
    for bit in FRAME:
        wire = pins.pin(f"GPIO{5 + int(bit)}")
        wire.drive_low()
        wire.drive_high()
    scan = heard.next()
    assert (scan.payload, scan.card, scan.direction) == (SHOWN, True, Direction.EXIT)
    reader.stop()
