"""What travels over MQTT: both directions agree, and what is out of form is refused before it is used."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import wire
from gate.clock import SHIFT_START
from gate.errors import MalformedError
from gate.model import EventKind

SOURCE = wire.source("kcn", "cong-1")
JSON_DATA = st.dictionaries(st.text(max_size=20), st.text(max_size=50) | st.integers(-(2**53), 2**53) | st.booleans(),
                            max_size=8)


def seal(seq: int = 1, prev: bytes = wire.GENESIS, **data: object) -> tuple[bytes, bytes]:
    return wire.seal(source=SOURCE, epoch="e1", seq=seq, prev=prev, kind=EventKind.ACCESS_GRANTED, time=SHIFT_START,
                     synced=True, data=data)


def changed(**fields: object) -> bytes:
    """A sealed event with some fields replaced."""
    return msgspec.json.encode(msgspec.json.decode(seal()[0]) | fields)


# --- names and topics ---


@pytest.mark.parametrize("text", ["a", "cong-1", "x" * 64, "0"])
def test_an_id_may_name_a_site(text: str) -> None:
    assert wire.is_id(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a b", "a/b", "a+", "ổ", "x" * 65, "a\n"])
def test_what_is_no_id_names_nothing(text: str) -> None:
    assert not wire.is_id(text)


def test_topics_say_who_speaks_to_whom() -> None:
    assert wire.up("kcn", "cong-1", "alert", "held-open") == "gate/1/kcn/cong-1/up/alert/held-open"
    assert wire.down("kcn", "cong-1", "ack") == "gate/1/kcn/cong-1/down/ack"
    assert SOURCE == "/gate/1/kcn/cong-1"


def test_a_topic_is_read_as_it_was_made() -> None:
    assert wire.parse_topic("gate/1/kcn/cong-1/up/alert/x") == ("kcn", "cong-1", "up/alert/x")
    assert wire.parse_topic("gate/1/kcn/cong-1/up/event") == ("kcn", "cong-1", "up/event")


@pytest.mark.parametrize("topic", [
    "", "gate/1/kcn/cong-1/up", "door/1/kcn/cong-1/up/event", "gate/2/kcn/cong-1/up/event",
    "gate/1/KCN/cong-1/up/event", "gate/1/kcn/+/up/event"])
def test_a_topic_of_somebody_else_is_none_of_ours(topic: str) -> None:
    assert wire.parse_topic(topic) is None


# --- events ---


@given(JSON_DATA)
def test_an_event_is_read_as_it_was_sealed(data: dict[str, object]) -> None:
    body, hash_ = seal(7, b"\x01" * 32, **{f"x{key}": value for key, value in data.items()})
    event = wire.read_event(body)
    assert (event.id, event.source, event.seq, event.epoch) == ("e1.7", SOURCE, 7, "e1")
    assert (event.kind, event.type) == ("AccessGranted", "gate.event.AccessGranted")
    assert (event.prevhash, event.synced) == ("01" * 32, True)
    assert event.time == "2026-11-22T23:55:00.000+00:00"
    assert event.data == {f"x{key}": value for key, value in data.items()}
    assert hash_ == hashlib.sha256(body).digest() == wire.event_hash(body)


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b"null", b"\xff", changed(extra=1), changed(seq=0), changed(seq=1.5), changed(synced="yes"),
    changed(type="com.example"), changed(prevhash="00"), b"[" * 5000])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match="not an event"):
        wire.read_event(body)


def test_the_longest_event_is_read_and_one_byte_more_is_not() -> None:
    room = wire.EVENT_MAX_BYTES - len(seal(text="")[0])
    body, _ = seal(text="x" * room)
    assert len(body) == wire.EVENT_MAX_BYTES
    assert wire.read_event(body).seq == 1
    with pytest.raises(MalformedError, match="8193 bytes"):
        wire.read_event(seal(text="x" * (room + 1))[0])


# --- batches ---


@given(st.integers(1, wire.BATCH_MAX_EVENTS))
def test_a_batch_gives_back_the_very_bytes(count: int) -> None:
    bodies = [seal(seq)[0] for seq in range(1, count + 1)]
    assert wire.split_batch(wire.join_batch(bodies)) == bodies


@pytest.mark.parametrize("count", [0, wire.BATCH_MAX_EVENTS + 1])
def test_a_batch_of_none_or_too_many_is_not_made_and_not_read(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        wire.join_batch([b"{}"] * count)
    with pytest.raises(MalformedError, match="1 to 64"):
        wire.split_batch(b"[" + b",".join([b"{}"] * count) + b"]")


@pytest.mark.parametrize("payload", [b"", b"{}", b"[{}", b"[" * 5000])
def test_what_is_no_array_is_no_batch(payload: bytes) -> None:
    with pytest.raises(MalformedError, match="not a batch"):
        wire.split_batch(payload)


def test_a_batch_beyond_its_limit_is_not_even_parsed() -> None:
    with pytest.raises(MalformedError, match="at most"):
        wire.split_batch(b" " * (wire.BATCH_MAX_BYTES + 1))


# --- messages ---


def test_a_message_is_read_as_it_was_made() -> None:
    payload = wire.message("status", SOURCE, "b.1", SHIFT_START, wire.Status("online", "all well"))
    assert wire.read_message(payload, "status", wire.Status) == wire.Status("online", "all well")
    envelope = msgspec.json.decode(payload)
    assert (envelope["specversion"], envelope["type"], envelope["source"], envelope["id"]) == (
        "1.0", "gate.status", SOURCE, "b.1")


@pytest.mark.parametrize(("payload", "complaint"), [
    (b"", "not a gate.status message"),
    (b"[" * 5000, "not a gate.status message"),
    (wire.message("status", SOURCE, "1", SHIFT_START, wire.AlertState("a", "b")), "not a gate.status message"),
    (wire.message("info", SOURCE, "1", SHIFT_START, wire.Status("online")), "gate.status belongs"),
    (b" " * (wire.BATCH_MAX_BYTES + 1), "at most"),
])
def test_what_is_no_such_message_is_refused(payload: bytes, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        wire.read_message(payload, "status", wire.Status)


# --- topics of a whole site ---


def test_a_topic_of_presence_names_its_gate_and_no_other_topic_does() -> None:
    assert wire.gate_of_presence("kcn", wire.presence("kcn", "cong-1", "07")) == "cong-1"
    for topic in (wire.presence("kcn", "cong-1"), wire.presence("kcn-2", "cong-1", "07"),
                  wire.presence("kcn", "Cong", "07"), wire.up("kcn", "cong-1", "state"), "gate"):
        with pytest.raises(MalformedError, match="no topic for passages of kcn"):
            wire.gate_of_presence("kcn", topic)


def test_documents_of_a_site_lie_under_one_topic() -> None:
    assert wire.documents("kcn", "index") == "gate/1/kcn/documents/index"
