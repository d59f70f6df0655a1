"""The cases of `make sabotage` fit the code as it is; whether the proofs fail takes minutes, and is asked there."""

from __future__ import annotations

from pathlib import Path

import pytest
from sabotage.cases import CASES, Case

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.mechanism)
def test_mechanism_stands_where_the_case_says_and_its_proof_exists(case: Case) -> None:
    assert (ROOT / "gate" / case.file).read_text().count(case.text) == 1
    file, _, proof = case.proof.partition("::")
    assert f"def {proof.partition('[')[0]}(" in (ROOT / file).read_text()


def test_page_of_guarantees_tells_of_every_case() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    assert [case.mechanism for case in CASES if f"| {case.mechanism} |" not in page] == []
