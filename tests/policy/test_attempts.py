"""Wrong codes at a keypad: what counts, when it locks, how long, and what clears it."""

from __future__ import annotations

import pytest

from gate.model import Decision, Direction, Reason
from gate.policy.attempts import Attempts, Tally

KEYPAD = Attempts(frozenset({"keys"}), attempts_max=3, lockout_s=30.0, lockout_max_s=100.0)
WRONG = Reason.UNKNOWN_CREDENTIAL


def said(reason: Reason, reader: str = "keys") -> Decision:
    return Decision(reason is Reason.GRANTED, reason, Direction.ENTRY, reader)


def after(*reasons: Reason, mono: float = 0.0, attempts: Attempts = KEYPAD) -> Attempts:
    for reason in reasons:
        attempts = attempts.after(said(reason), mono)
    return attempts


@pytest.mark.parametrize("reason", [WRONG, Reason.MALFORMED, Reason.UNKNOWN_FORMAT])
def test_each_kind_of_guess_counts(reason: Reason) -> None:
    assert after(reason).tallies["keys"].wrong == 1


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.REVOKED, Reason.LOCKDOWN, Reason.LOCKOUT])
def test_a_refusal_of_a_code_that_exists_is_no_guess(reason: Reason) -> None:
    assert after(WRONG, reason) == after(WRONG)


def test_the_last_wrong_code_locks_for_its_time_and_not_longer() -> None:
    attempts = after(WRONG, WRONG)
    assert attempts.locks_next("keys")
    assert not attempts.locked("keys", 0.0)
    attempts = after(Reason.MAX_ATTEMPTS, attempts=attempts)
    assert attempts.locked("keys", 29.9)
    assert not attempts.locked("keys", 30.0)
    assert attempts.tallies["keys"].wrong == 0, "the count begins anew"


def test_each_lockout_doubles_up_to_the_longest() -> None:
    attempts, mono = KEYPAD, 0.0
    for lock_s in (30.0, 60.0, 100.0, 100.0):
        attempts = after(WRONG, WRONG, WRONG, mono=mono, attempts=attempts)
        assert attempts.tallies["keys"].locked_until_mono == mono + lock_s
        mono += lock_s


def test_lockouts_without_end_stay_at_the_longest() -> None:
    attempts = Attempts(frozenset({"keys"}), 1, 30.0, 1e300, {"keys": Tally(0, 10_000)})
    lock_s = after(WRONG, attempts=attempts).tallies["keys"].locked_until_mono
    assert lock_s == 30.0 * 2**32


def test_codes_typed_while_it_is_locked_count_for_nothing() -> None:
    locked = after(WRONG, WRONG, WRONG)
    assert after(WRONG, Reason.GRANTED, mono=10.0, attempts=locked) is locked


def test_one_good_code_outweighs_one_wrong_one() -> None:
    assert after(WRONG, WRONG, Reason.GRANTED).tallies["keys"].wrong == 1
    assert after(WRONG, Reason.GRANTED).tallies["keys"] == Tally()


def test_a_good_code_after_a_lockout_forgets_it() -> None:
    once = after(WRONG, WRONG, WRONG)
    assert after(Reason.GRANTED, mono=30.0, attempts=once).tallies["keys"] == Tally()
    assert after(WRONG, Reason.GRANTED, mono=30.0, attempts=once).tallies["keys"] == Tally()


def test_a_good_code_before_any_wrong_one_is_nothing_special() -> None:
    assert after(Reason.GRANTED).tallies["keys"] == Tally()


def test_a_reader_at_which_nobody_can_guess_never_locks() -> None:
    attempts = KEYPAD
    for _ in range(10):
        attempts = attempts.after(said(WRONG, "scanner"), 0.0)
    assert attempts is KEYPAD
    assert not KEYPAD.locks_next("scanner")
    assert not after(WRONG, WRONG, WRONG).locked("scanner", 0.0)


def test_a_keypad_with_one_attempt_locks_at_the_first() -> None:
    assert Attempts(frozenset({"keys"}), attempts_max=1).locks_next("keys")
