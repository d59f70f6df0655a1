from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.decoder.framing import Framer

GAP_S = 0.05
MAX_BYTES = 64
PAYLOADS = st.lists(
    st.binary(min_size=1, max_size=MAX_BYTES).filter(lambda data: not {10, 13} & set(data)), max_size=8
)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@given(PAYLOADS, st.sampled_from([b"\r", b"\n", b"\r\n"]), st.lists(st.integers(0, 600), max_size=20))
def test_terminated_payloads_arrive_whole_however_the_line_cuts_them(payloads, terminator, cuts):
    framer = Framer(GAP_S, MAX_BYTES)
    stream = b"".join(payload + terminator for payload in payloads)
    got = [payload for chunk in chunks(stream, cuts) for payload in framer.feed(chunk, 1.0)]
    assert got == payloads
    assert framer.dropped == 0


@given(PAYLOADS)
def test_payloads_without_a_terminator_end_where_the_line_falls_silent(payloads):
    framer = Framer(GAP_S, MAX_BYTES, terminators=b"")
    got = []
    for second, payload in enumerate(payloads):
        for byte in payload:
            got += framer.feed(bytes([byte]), float(second))
        assert framer.flush(second + GAP_S / 2) == []
    got += framer.flush(1e6)
    assert got == payloads


def test_line_ends_within_a_code_are_kept_where_only_silence_ends_it():
    framer = Framer(GAP_S, MAX_BYTES, terminators=b"")
    framer.feed(b'{"a":\r\n1}', 1.0)
    assert framer.flush(2.0) == [b'{"a":\r\n1}']


@pytest.mark.parametrize("boundary", ["terminator", "silence"])
def test_overlong_frame_is_dropped_up_to_its_boundary_and_counted_once(boundary):
    framer = Framer(GAP_S, MAX_BYTES)
    assert framer.feed(b"x" * (MAX_BYTES + 1), 1.0) == []
    assert framer.feed(b"x" * MAX_BYTES, 1.0) == []
    if boundary == "terminator":
        assert framer.feed(b"tail\r", 1.0) == []
    assert framer.feed(b"next\r", 2.0) == [b"next"]
    assert framer.dropped == 1


def test_frame_of_exactly_the_limit_passes():
    framer = Framer(GAP_S, MAX_BYTES)
    assert framer.feed(b"x" * MAX_BYTES + b"\r", 1.0) == [b"x" * MAX_BYTES]


def test_cut_line_leaves_nothing_for_the_next_code():
    framer = Framer(GAP_S, MAX_BYTES)
    framer.feed(b"half", 1.0)
    framer.reset()
    assert not framer.waiting
    assert framer.feed(b"whole\r", 1.0) == [b"whole"]


LONG = st.integers(0, 5 * MAX_BYTES).map(lambda length: b"x" * length)


@given(st.lists(st.tuples(st.binary(max_size=300) | LONG, st.floats(0, 0.2)), max_size=50))
def test_no_input_makes_it_keep_or_hand_on_more_than_the_limit(arrivals):
    framer, mono = Framer(GAP_S, MAX_BYTES), 0.0
    for data, pause_s in arrivals:
        mono += pause_s
        assert all(0 < len(payload) <= MAX_BYTES for payload in framer.feed(data, mono))
        assert len(framer._frame) <= MAX_BYTES
