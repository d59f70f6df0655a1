"""Two recorders of one database, step by step: neither builds on what it remembers when the other has written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from support_outbox import MemoryOutbox

from gate.central.db import models as table
from gate.central.db import open_database, reading
from gate.central.feed import read_batch
from gate.central.feed_store import FeedStore
from gate.clock import SHIFT_START

SITE, GATE = "tan-thuan", "cong-a"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def outbox() -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.append(40)
    return outbox


def record(store: FeedStore, outbox: MemoryOutbox, first: int, last: int) -> tuple[int, int]:
    """Store a batch; the run that an acknowledgement of its last event would name."""
    with store.writing():
        kept, placement = store.add(SITE, GATE, read_batch(outbox.batch(first, last), SITE, GATE), SHIFT_START)
        assert placement.problems == []
        return kept.feed.run_of(last)


def gaps(engine: Engine) -> list[tuple[int, int, bool]]:
    with reading(engine) as session:
        return [(gap.from_seq, gap.to_seq, gap.closed_at is None) for gap in session.scalars(select(table.Gap))]


def test_what_another_recorder_wrote_is_no_gap(engine: Engine, outbox: MemoryOutbox) -> None:
    one, other = FeedStore(engine), FeedStore(engine)
    assert record(one, outbox, 1, 5) == (1, 5)
    assert record(other, outbox, 6, 20) == (1, 20)
    assert record(one, outbox, 21, 30) == (1, 30)
    assert gaps(engine) == []


def test_gap_that_another_recorder_filled_is_closed_for_both(engine: Engine, outbox: MemoryOutbox) -> None:
    one, other = FeedStore(engine), FeedStore(engine)
    record(one, outbox, 1, 5)
    assert record(one, outbox, 11, 20) == (11, 20)
    assert record(other, outbox, 6, 10) == (1, 20)
    assert record(one, outbox, 21, 30) == (1, 30)
    assert gaps(engine) == [(6, 10, False)]


def test_same_batch_at_both_recorders_is_stored_once(engine: Engine, outbox: MemoryOutbox) -> None:
    for store in (one := FeedStore(engine), FeedStore(engine), one):
        assert record(store, outbox, 1, 40) == (1, 40)
    with reading(engine) as session:
        assert len(session.scalars(select(table.Event.seq)).all()) == 40


def test_text_that_postgresql_cannot_keep_is_kept_readable(engine: Engine) -> None:
    store = FeedStore(engine)
    with store.writing():
        for seconds in range(2):
            store.alert(SITE, GATE, "malformed", "a\0b", at=SHIFT_START + timedelta(seconds=seconds))
        store.gate_says(SITE, GATE, SHIFT_START, status="on\0line")
        store.gate_alert(SITE, GATE, "reader-lost", "c\0d")
    with reading(engine) as session:
        assert [(row.detail, row.count) for row in session.scalars(select(table.FeedAlert))] == [("a\ufffdb", 2)]
