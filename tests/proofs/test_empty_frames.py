"""The short form of the proof that nothing is read where nothing is."""

from __future__ import annotations

from random import Random

import pytest
from proofs.empty_frames import SCENES, hollow, run

from gate.decoder.frame import frame_of
from gate.decoder.zxing import ZxingReader

pytestmark = pytest.mark.slow


def test_nothing_is_read_in_frames_without_a_code() -> None:
    counts = run(frames=1400)
    assert counts["false reads"] == 0
    assert all(counts[scene.__name__] == 200 for scene in SCENES)


def test_hollow_symbols_are_seen_and_not_read() -> None:
    """Else their checksum, which keeps them out, would not have been tried."""
    rng, reader = Random(1), ZxingReader()
    sights = [reader.look(frame_of(hollow(rng))) for _ in range(50)]
    assert not any(sight.symbols for sight in sights)
    assert sum(bool(sight.unread) for sight in sights) > 40
