from gate.inbox import Inbox
from gate.model import CodeBegun, Contact, Direction, Flushed, Scan, Tick


def scan(number: int, reader: str = "in", direction: Direction = Direction.ENTRY) -> Scan:
    return Scan(reader, direction, str(number).encode(), 0.0)


def test_surplus_scans_are_dropped_and_counted() -> None:
    inbox = Inbox(scans_max=2)
    assert [inbox.offer(scan(n)) for n in range(5)] == [True, True, False, False, False]
    assert (inbox.scans, inbox.dropped) == (5, 3)


def test_a_reader_gone_wild_pushes_out_no_scan_of_another() -> None:
    inbox = Inbox(scans_max=2)
    for number in range(1000):
        inbox.put(scan(number))
    assert inbox.offer(scan(1, "in-2"))
    assert inbox.offer(scan(1, "out", Direction.EXIT))


def test_contacts_and_ways_out_do_not_stand_behind_a_flood_of_ways_in() -> None:
    inbox = Inbox(scans_max=2)
    for number in range(1000):
        inbox.put(scan(number))
    leaving = scan(1, "out", Direction.EXIT)
    inbox.put(leaving)
    inbox.put(Contact("emergency", True))
    assert [inbox.take(0) for _ in range(5)] == [leaving, Contact("emergency", True), scan(0), scan(1), None]


def test_order_is_kept_and_a_place_taken_is_free_again() -> None:
    inbox = Inbox(scans_max=1)
    inbox.put(Tick())
    inbox.put(scan(1))
    inbox.put(Flushed(7))
    assert [inbox.take(0), inbox.take(0), inbox.take(0)] == [Tick(), Flushed(7), scan(1)]
    assert inbox.offer(scan(2))


def test_that_a_code_has_begun_is_heard_once_and_after_everything_else() -> None:
    inbox = Inbox()
    for reader in ("in", "in", "in-2"):
        inbox.put(CodeBegun(reader))
    inbox.put(scan(1))
    inbox.put(Tick())
    assert [inbox.take(0) for _ in range(4)] == [Tick(), scan(1), CodeBegun("in"), None]


def test_nothing_comes_from_an_empty_inbox() -> None:
    assert Inbox().take(0) is None
