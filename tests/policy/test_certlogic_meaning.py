"""What each operation of CertLogic 1.3.3 means, in short: the suites say it at length, where they are at hand."""

from __future__ import annotations

from typing import Any

import pytest

from gate.policy.health.certlogic import compile_logic
from gate.policy.health.certlogic_format import steps

DOSES = {"v": [{"mp": "a", "dn": 1}, {"mp": "b", "dn": 2}]}
UVCI = {"ci": "URN:UVCI:01:VN:ABC#D"}


def day(text: str) -> dict[str, Any]:
    return {"plusTime": [text, 0, "day"]}


@pytest.mark.parametrize(("expression", "data", "expected"), [
    ({"var": ""}, DOSES, DOSES), ({"var": "v.1.mp"}, DOSES, "b"), ({"var": "v.2"}, DOSES, None),
    ({"var": "v.mp"}, DOSES, None), ({"var": "v.0.mp.x"}, DOSES, None), ({"var": "t"}, DOSES, None),
    ({"if": [{"var": "v"}, "yes", "no"]}, DOSES, "yes"), ({"if": [{"var": "t"}, "yes", "no"]}, DOSES, "no"),
    ({"and": [{"var": "a"}, {"var": "b"}]}, {"a": 0, "b": 1}, 0), ({"and": [1, "x", 3]}, {}, 3),
    ({"!": [{"var": "a"}]}, {"a": []}, True), ({"!": [{"var": "a"}]}, {"a": "0"}, False),
    ({"===": [{"var": "v.0.dn"}, 1]}, DOSES, True), ({"===": [{"var": "v.0.dn"}, "1"]}, DOSES, False),
    ({"in": ["a", ["a", "b"]]}, {}, True), ({"in": [1, ["a", 1]]}, {}, True), ({"in": ["a", {"var": "t"}]}, {}, False),
    ({"+": [{"var": "v.0.dn"}, 2]}, DOSES, 3), ({"<": [1, 2, 2]}, {}, False), ({">=": [2, 2, 1]}, {}, True),
    ({"before": [day("2021-09-15"), day("2021-09-16")]}, {}, True),
    ({"not-before": [day("2021-09-15"), day("2021-09-16")]}, {}, False),
    ({"after": [{"dccDateOfBirth": ["2004"]}, day("2004-12-30")]}, {}, True),
    ({"reduce": [{"var": "v"}, {"+": [{"var": "accumulator"}, {"var": "current.dn"}]}, 0]}, DOSES, 3),
    ({"reduce": [{"var": "t"}, {"+": [{"var": "accumulator"}, 1]}, 7]}, DOSES, 7),
    ({"extractFromUVCI": [{"var": "ci"}, 1]}, UVCI, "VN"), ({"extractFromUVCI": [{"var": "ci"}, 3]}, UVCI, "D"),
    ({"extractFromUVCI": [{"var": "ci"}, 4]}, UVCI, None), ({"extractFromUVCI": [{"var": "ci"}, -1]}, UVCI, None),
    ({"extractFromUVCI": [{"var": "x"}, 0]}, UVCI, None),
])
def test_an_operation_means_what_the_specification_says(expression: Any, data: Any, expected: object) -> None:
    assert compile_logic(expression)(data) == expected


def test_each_member_of_an_array_counts_as_a_step() -> None:
    assert steps({"in": [1, [1, 2]]}) == 5
