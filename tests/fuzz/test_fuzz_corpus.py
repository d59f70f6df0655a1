"""What the fuzzer was started from and what it has found, once more, without the fuzzer."""

from __future__ import annotations

import pytest

from tests.fuzz.table import TARGETS
from tests.fuzz.target import CORPUS, Target

CORPUS_MAX_BYTES = 300_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_input_of_the_corpus_is_read_or_refused_as_documented(target: Target) -> None:
    for data in (b"", *(path.read_bytes() for path in target.corpus())):
        target.feed(data)


def test_the_corpus_is_small_and_each_part_of_it_has_its_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= {target.name for target in TARGETS}
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < CORPUS_MAX_BYTES
