"""The go-back-N of the feed against a channel that loses, repeats and forgets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support_outbox import MemoryOutbox, MemoryRow

from gate import wire
from gate.central.feed import Feed, Stored, read_batch
from gate.delivery import PATIENCE_MAX_S, PATIENCE_S, WINDOW_EVENTS, Delivery, within_limit

BATCH = 4


def ack(from_seq: int, up_to_seq: int, *, greeting: bool = False) -> wire.Ack:
    return wire.Ack("tan-thuan", "cong-a", "e1", from_seq, up_to_seq, "", greeting)


class World:
    """One gate, one recorder and the broker between them; every fault is a choice of the caller."""

    def __init__(self) -> None:
        self.outbox = MemoryOutbox()
        self.delivery = Delivery(0)
        self.mono = 0.0
        self.mid = 0
        self.pipe: list[tuple[int, bytes]] = []
        self.acks: list[wire.Ack] = []
        self.recorded: dict[int, Stored] = {}
        self.feed = Feed()

    def send(self) -> None:
        if self.delivery.overdue(self.mono):
            self._publish(self.delivery.acked_seq)
        while self.delivery.may_send(self.mono) and self._publish(self.delivery.sent_seq):
            pass

    def _publish(self, after_seq: int) -> bool:
        rows = self.outbox.rows_after(after_seq, BATCH)
        if rows:
            self.mid += 1
            self.pipe.append((self.mid, wire.join_batch([row.body for row in rows])))
            self.delivery.published(self.mid, after_seq + 1, rows[-1].seq, self.mono)
        return bool(rows)

    def record(self) -> None:
        if not self.pipe:
            return
        mid, payload = self.pipe.pop(0)
        self.delivery.confirmed(mid)
        arrivals = read_batch(payload, self.outbox.site, self.outbox.gate)
        placement = self.feed.place(arrivals, self._look_up)
        assert not placement.problems
        for new in placement.new:
            assert new.seq not in self.recorded
            self.recorded[new.seq] = Stored(new.prev, new.hash)
        highest = {self.feed.run_of(seq): seq for seq in placement.here}
        self.acks += [ack(first, seq) for (first, _), seq in highest.items()]

    def _look_up(self, first: int, last: int) -> dict[int, Stored]:
        return {seq: stored for seq, stored in self.recorded.items() if first <= seq <= last}

    def hear(self) -> None:
        if not self.acks:
            return
        heard = self.acks.pop(0)
        last = heard.up_to_seq
        oldest = next((row.seq for row in self.outbox.rows_after(self.delivery.acked_seq, 1)), None)
        if self.outbox.hash_at(last) is None and last > self.delivery.acked_seq:
            return
        before = self.delivery.acked_seq
        if self.delivery.acknowledged(heard, oldest, self.mono):
            for seq in [seq for seq in self.outbox.rows if before < seq <= last]:
                assert seq in self.recorded, f"the gate would forget event {seq}, which nobody recorded"

    def missing(self) -> list[int]:
        return [seq for seq in self.outbox.rows if seq not in self.recorded]


STEPS = st.lists(st.sampled_from([
    "append", "append", "send", "send", "record", "record", "hear", "hear", "drop", "repeat", "drop_ack",
    "disconnect", "time", "restore", "lose",
]), max_size=80)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.data())
def test_nothing_unrecorded_is_forgotten_and_all_arrives_in_the_end(steps: list[str], data: st.DataObject) -> None:
    world = World()
    for step in steps:
        match step:
            case "append":
                world.outbox.append(data.draw(st.integers(1, 12)))
            case "drop" if world.pipe:
                world.pipe.pop(data.draw(st.integers(0, len(world.pipe) - 1)))
            case "repeat" if world.pipe:
                world.pipe.append(world.pipe[0])
            case "drop_ack" if world.acks:
                world.acks.pop(0)
            case "disconnect":
                world.pipe.clear()
                world.delivery.disconnected()
            case "time":
                world.mono += data.draw(st.sampled_from([0.5, 2.0, 60.0]))
            case "restore" if world.acks == [] and world.pipe == []:
                # The recorder's database comes back from an older backup, and says at its start where it stands.
                keep = data.draw(st.integers(0, world.feed.last_seq))
                world.recorded = {seq: stored for seq, stored in world.recorded.items() if seq <= keep}
                top = max(world.recorded, default=0)
                gaps = [gap for gap in world.feed.gaps if gap[1] < top]
                world.feed = Feed(top, world.recorded[top].hash if top else wire.GENESIS, gaps)
                if top:  # a recorder that has nothing greets when it hears of the gate
                    world.acks.append(ack(world.feed.run_of(top)[0], top, greeting=True))
            case "lose":
                held = [seq for seq in world.outbox.rows if seq > world.delivery.acked_seq]
                world.outbox.lose(held[1:data.draw(st.integers(1, 5))])
            case "send" | "record" | "hear":
                getattr(world, step)()
    world.outbox.append()
    for _ in range(400):
        world.mono += PATIENCE_MAX_S / 10
        world.send()
        while world.pipe or world.acks:
            world.record()
            world.hear()
        if world.delivery.acked_seq >= world.outbox.flushed_seq:
            break
    assert world.delivery.acked_seq >= world.outbox.flushed_seq
    assert [seq for seq in world.missing() if seq > world.delivery.acked_seq] == []


def test_silent_recorder_is_offered_one_batch_at_growing_intervals() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 64, 0.0)
    asked = [second for second in range(1, 2000) if delivery.overdue(float(second))]
    waits = [after - before for before, after in zip([0, *asked], asked, strict=False)]
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300, 300, 300]
    assert waits[0] == PATIENCE_S


def test_recorder_heard_again_gets_everything_once_more() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 64, 0.0)
    delivery.published(2, 65, 128, 0.0)
    assert delivery.overdue(PATIENCE_S)
    assert delivery.acknowledged(ack(1, 64), 1, PATIENCE_S + 1)
    assert delivery.sent_seq == 64


def test_recorder_that_begins_anew_gets_what_it_does_not_have() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 64, 0.0)
    delivery.published(2, 65, 128, 0.0)
    assert delivery.acknowledged(ack(1, 64), 1, 1.0)
    assert delivery.sent_seq == 128
    assert not delivery.acknowledged(ack(1, 64, greeting=True), 65, 2.0)
    assert delivery.sent_seq == 64


def test_run_that_begins_after_the_oldest_event_lets_nothing_go() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 64, 0.0)
    delivery.published(2, 65, 128, 0.0)
    assert not delivery.acknowledged(ack(65, 128), 1, 5.0)
    assert (delivery.acked_seq, delivery.sent_seq) == (0, 0)


def test_batches_confirmed_out_of_order_count_up_to_the_first_that_is_not() -> None:
    delivery = Delivery(0)
    for mid in (1, 2, 3):
        delivery.published(mid, mid * 10 - 9, mid * 10, 0.0)
    assert [delivery.confirmed(mid) for mid in (2, 1, 3)] == [0, 20, 30]


def test_refused_batch_holds_back_what_came_with_it() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 10, 0.0)
    delivery.published(2, 11, 20, 0.0)
    assert delivery.refused(1, 0.0)
    assert delivery.confirmed(2) is None
    assert (delivery.sent_seq, delivery.may_send(1.0), delivery.may_send(PATIENCE_S)) == (0, False, True)


def test_older_database_is_filled_up_though_newer_events_are_acknowledged_meanwhile() -> None:
    delivery = Delivery(300)
    delivery.published(1, 301, 400, 0.0)
    assert not delivery.acknowledged(ack(1, 0, greeting=True), 301, 1.0)
    assert delivery.acknowledged(ack(301, 400), 301, 1.0)
    assert (delivery.acked_seq, delivery.sent_seq) == (400, 0)


def test_the_answer_to_what_is_no_batch_changes_nothing() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 4, 0.0)
    assert delivery.confirmed(9) is None
    assert not delivery.refused(9, 0.0)
    assert delivery.may_send(0.0)
    assert delivery.sent_seq == 4


def test_what_the_broker_refuses_is_sent_again_after_a_wait_that_grows() -> None:
    delivery = Delivery(0)
    mono = 0.0
    for wait_s in (PATIENCE_S, 2 * PATIENCE_S, 4 * PATIENCE_S):
        delivery.published(1, 1, 4, mono)
        assert delivery.refused(1, mono)
        assert delivery.sent_seq == 0
        assert not delivery.may_send(mono + wait_s - 0.1)
        mono += wait_s
        assert delivery.may_send(mono)


def test_an_older_word_takes_nothing_back() -> None:
    delivery = Delivery(10)
    delivery.delivered(10, 0.0)
    delivery.delivered(3, 0.0)
    assert (delivery.acked_seq, delivery.sent_seq) == (10, 10)


def test_a_recorder_that_repeats_itself_is_sent_one_copy_only() -> None:
    delivery = Delivery(0)
    delivery.published(1, 1, 4, 0.0)
    delivery.acknowledged(ack(1, 0, greeting=True), 1, 1.0)
    assert delivery.sent_seq == 0
    delivery.published(2, 1, 4, 1.1)
    delivery.acknowledged(ack(1, 0, greeting=True), 1, 1.5)
    assert delivery.sent_seq == 4, "that was said before the copy came"
    delivery.acknowledged(ack(1, 0, greeting=True), 1, 2.0)
    assert delivery.sent_seq == 0


def test_sending_waits_for_the_recorder_once_it_is_a_window_ahead() -> None:
    delivery = Delivery(acked_seq=0)
    delivery.published(1, 1, WINDOW_EVENTS, 0.0)
    assert not delivery.may_send(0.0)
    delivery.delivered(64, 1.0)
    assert delivery.may_send(1.0)


def test_a_batch_holds_as_many_whole_events_as_one_payload_may_carry() -> None:
    rows = [MemoryRow(seq, b"x" * wire.EVENT_MAX_BYTES, b"") for seq in range(1, 70)]
    taken = within_limit(rows)
    assert len(wire.join_batch([row.body for row in taken])) <= wire.BATCH_MAX_BYTES
    assert list(taken) == rows[:len(taken)] and len(taken) == 63
    assert within_limit(rows[:3]) == rows[:3]
