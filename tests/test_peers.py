from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate import wire
from gate.acks import sign_ack
from gate.errors import CodeError, ForgedError, MalformedError, UnknownKeyError
from gate.model import Move, Stamp
from gate.peers import PAGES, page_name, page_of, page_of_moves, read_page, sign_page
from gate.presence import OUTSIDE
from gate.trust import Key, Keyring, kid_of

AT = datetime(2026, 11, 23, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.generate()
KID = kid_of(PRIVATE.public_key())
KEYRING = Keyring([Key(KID, PRIVATE.public_key(), "gate-1", "gate")])

moves = st.builds(
    lambda holder, place, millis: Move(holder=holder, place=place, company="c", stamp=Stamp(millis, 0, "gate-1")),
    st.text("abcdef0123456789", min_size=4, max_size=4), st.sampled_from((OUTSIDE, "hall")), st.integers(0, 1 << 50))


def page(made: list[Move], number: int = 0, *, gate: str = "gate-1", key: Ed25519PrivateKey = PRIVATE) -> bytes:
    return sign_page(page_of_moves("khu-a", gate, made, number), key, KID, id="1", time=AT)


@given(st.lists(moves, unique_by=lambda move: move.holder))
def test_a_peer_reads_from_all_pages_exactly_what_was_told(made):
    heard = [move for number in range(PAGES) for move in read_page(page(made, number), "khu-a", "gate-1", KEYRING)]
    assert sorted(heard, key=lambda move: move.holder) == sorted(made, key=lambda move: move.holder)
    assert all(0 <= page_of(move.holder) < PAGES for move in made)


MOVE = Move(holder="an", place="hall", company="", stamp=Stamp(1, 0, "gate-1"))
NUMBER = page_of("an")


@pytest.mark.parametrize(("payload", "as_gate", "fault"), [
    (page([MOVE], NUMBER, key=Ed25519PrivateKey.generate()), "gate-1", ForgedError),
    (page([MOVE], NUMBER), "gate-2", UnknownKeyError),
    (page([MOVE], NUMBER, gate="gate-2"), "gate-1", MalformedError),
    (sign_ack(wire.Ack("khu-a", "gate-1", "e", 1, 1, "00"), PRIVATE, KID, id="1", time=AT), "gate-1", MalformedError),
    (wire.message("passages", "s", "1", AT, wire.SignedPassages("!")), "gate-1", MalformedError),
    (b"{}", "gate-1", MalformedError),
    (b"x" * (wire.BATCH_MAX_BYTES + 1), "gate-1", MalformedError),
], ids=["another's signature", "another gate's topic", "in another gate's name", "another message", "not base64",
        "not a message", "too long"])
def test_what_a_gate_did_not_sign_for_itself_is_not_believed(payload, as_gate, fault):
    with pytest.raises(fault):
        read_page(payload, "khu-a", as_gate, KEYRING)


def test_a_key_for_something_else_signs_no_passages():
    recorder = Keyring([Key(KID, PRIVATE.public_key(), "gate-1", "recorder")])
    with pytest.raises(UnknownKeyError):
        read_page(page([MOVE], NUMBER), "khu-a", "gate-1", recorder)


def test_a_page_holds_the_newest_and_a_longer_one_is_refused():
    many = [replace(MOVE, holder=str(number), stamp=Stamp(number, 0, "gate-1"))
            for number in range(200_000)]
    told = page_of_moves("khu-a", "gate-1", many, 0)
    assert len(told.moves) == wire.PASSAGES_MAX
    assert told.moves[-1].millis == max(move.stamp.millis for move in many if page_of(move.holder) == 0)
    longer = msgspec.structs.replace(told, moves=[*told.moves, told.moves[0]])
    with pytest.raises(CodeError, match="length"):
        read_page(sign_page(longer, PRIVATE, KID, id="1", time=AT), "khu-a", "gate-1", KEYRING)


def test_pages_are_called_by_two_digits():
    assert sorted(page_name(page) for page in range(PAGES)) == [f"{page:02}" for page in range(PAGES)]
