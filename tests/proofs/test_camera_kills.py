"""The short form of the camera's deaths: forged passes stay out, the good one opens, and it always reads again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from gate.demo.site import DemoSite
from tests.proofs.camera_kills import Watched


@pytest.mark.slow
def test_whenever_the_camera_is_killed_nobody_false_is_let_in_and_it_reads_again(
    new_site: Callable[[], DemoSite],
) -> None:
    tally = Watched(new_site(), Random(1)).kill_often(5)
    assert tally.counts["false grants"] == 0
    assert tally.counts["grants to the one good pass"] > 0
    assert tally.counts["forged passes denied"] > 5
    assert len(tally.reads_s) == 5
