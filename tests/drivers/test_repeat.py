"""One showing of a code is one scan."""

from __future__ import annotations

from gate.drivers.repeat import REMEMBERED_MAX, RepeatFilter


def test_code_held_in_view_is_new_once() -> None:
    repeats = RepeatFilter(window_s=3.0)
    shown = [repeats.is_new(b"pass", mono=100 + frame / 30) for frame in range(300)]
    assert shown.count(True) == 1
    assert shown[0]


def test_code_shown_again_after_the_window_is_new() -> None:
    repeats = RepeatFilter(window_s=3.0)
    assert repeats.is_new(b"pass", 100.0)
    assert not repeats.is_new(b"pass", 102.9)
    assert repeats.is_new(b"pass", 105.9)


def test_two_codes_in_view_do_not_hide_each_other() -> None:
    repeats = RepeatFilter(window_s=3.0)
    assert [repeats.is_new(payload, 100.0) for payload in (b"a", b"b", b"a", b"b")] == [True, True, False, False]


def test_memory_is_bounded_by_forgetting_the_code_unseen_for_longest() -> None:
    repeats = RepeatFilter(window_s=1e9)
    for number in range(REMEMBERED_MAX + 1):
        assert repeats.is_new(b"%d" % number, float(number))
    assert not repeats.is_new(b"1", 1000.0)
    assert repeats.is_new(b"0", 1000.0)
