from gate.inbox import Inbox
from gate.model import Contact, Direction, Scan, Tick


def scan(number: int) -> Scan:
    return Scan("in", Direction.ENTRY, str(number).encode(), 0.0)


def test_surplus_scans_are_dropped_and_counted() -> None:
    inbox = Inbox(scans_max=2)
    assert [inbox.offer(scan(n)) for n in range(5)] == [True, True, False, False, False]
    assert (inbox.scans, inbox.dropped) == (5, 3)


def test_contacts_get_through_a_flood_of_scans() -> None:
    inbox = Inbox(scans_max=2)
    for number in range(1000):
        inbox.put(scan(number))
    inbox.put(Contact("emergency", True))
    assert [inbox.take(0) for _ in range(3)] == [scan(0), scan(1), Contact("emergency", True)]


def test_order_is_kept_and_a_place_taken_is_free_again() -> None:
    inbox = Inbox(scans_max=1)
    inbox.put(scan(1))
    inbox.put(Tick())
    assert inbox.take(0) == scan(1)
    assert inbox.offer(scan(2))
    assert [inbox.take(0), inbox.take(0)] == [Tick(), scan(2)]


def test_nothing_comes_from_an_empty_inbox() -> None:
    assert Inbox().take(0) is None
