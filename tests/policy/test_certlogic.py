"""CertLogic against the specification's own suites, the rules of nine countries, and what no suite tries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import DocumentError
from gate.policy.health.certlogic import LogicError, compile_logic
from gate.policy.health.certlogic_format import DEPTH_MAX, ENTRIES_MAX, issues, steps
from gate.policy.health.date_times import UNITS, parse, plus_time

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SUITES, RULES = DATA / "certlogic", DATA / "business-rules"
needs_suites = pytest.mark.skipif(not SUITES.is_dir(), reason="the CertLogic suites are not on this machine")
needs_rules = pytest.mark.skipif(not RULES.is_dir(), reason="the countries' rules are not on this machine")


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def as_json(value: Any) -> Any:
    return f"{value.isoformat(timespec='milliseconds')}Z" if isinstance(value, datetime) else value


def suite_assertions() -> Iterator[Any]:
    for path in sorted((SUITES / "testSuite").glob("*.json")):
        for case in load(path)["cases"]:
            for assertion in case["assertions"]:
                expression = assertion.get("certLogicExpression", case.get("certLogicExpression"))
                yield f"{path.stem}: {case['name']}", expression, assertion["data"], assertion["expected"]


@needs_suites
def test_every_assertion_of_the_specification_holds() -> None:
    count = 0
    for name, expression, data, expected in suite_assertions():
        found = as_json(compile_logic(expression)(data))
        assert (found, type(found)) == (expected, type(expected)), (name, expression, data)
        count += 1
    assert count >= 191


@needs_suites
def test_the_format_is_judged_as_the_specification_judges_it() -> None:
    for path in sorted((SUITES / "validation-testSuite").glob("*.json")):
        for case in load(path)["cases"]:
            found = [issue._asdict() for issue in issues(case["certLogicExpression"])]
            assert found == case["issues"], (path.stem, case)


@needs_rules
def test_every_rule_of_nine_countries_answers_its_own_tests_as_expected() -> None:
    count = 0
    for path in sorted(RULES.glob("*/*/rule.json")):
        passes = compile_logic(load(path)["Logic"])
        for test in sorted((path.parent / "tests").glob("*.json")):
            assert passes(data := load(test)) == data["expected"], test
            count += 1
    assert count >= 832


@pytest.mark.parametrize(("text", "expected"), [
    ("2021", "2021-12-31T00:00:00"), ("9999", "9999-12-31T00:00:00"), ("2020-02", "2020-02-29T00:00:00"),
    ("2021-09-15", "2021-09-15T00:00:00"),
    ("2021-09-15T07:00:00", "2021-09-15T07:00:00"), ("2021-09-15T07:00:00Z", "2021-09-15T07:00:00"),
    ("2021-09-15T07:00:00+7", "2021-09-15T00:00:00"), ("2021-09-15T07:00:00+07", "2021-09-15T00:00:00"),
    ("2021-09-15T07:00:00-730", "2021-09-15T14:30:00"), ("2021-09-15T07:00:00+0730", "2021-09-14T23:30:00"),
    ("2021-09-15T07:00:00+7:30", "2021-09-14T23:30:00"), ("2021-09-15T07:00:00-07:30", "2021-09-15T14:30:00"),
    ("2021-09-15T07:00:00.1239Z", "2021-09-15T07:00:00.123000"), ("2021-09-15T07:00:00.1", "2021-09-15T07:00:00.1"),
])
def test_every_form_of_a_date_is_read(text: str, expected: str) -> None:
    assert parse(text) == datetime.fromisoformat(expected.ljust(23, "0") if "." in expected else expected)


@pytest.mark.parametrize("text", [
    "", "21", "2021-9-15", "2021-09-99", "2022-13", "20210915", "2021-W37", "2021-09-15 07:00:00", "2021-09-15T07:00",
    "2021-09-15T07:00:00z", "2021-09-15T25:00:00", " 2021-09-15", "2021-09-15\n", "٢٠٢١-09-15", "0000-01-01",
    "2021-09-15T07:00:00." + "1" * 100,
])
def test_no_other_text_is_a_date(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(("text", "amount", "unit", "expected"), [
    ("2020-02-29", 1, "day", "2020-03-01"), ("2020-02-29", 1, "month", "2020-03-29"),
    ("2020-02-29", 1, "year", "2021-03-01"), ("2021-01-31", 1, "month", "2021-03-03"),
    ("2021-03-31", -1, "month", "2021-03-03"), ("2021-01-15", -1, "month", "2020-12-15"),
    ("2021-11-30", 25, "month", "2023-12-30"), ("2021-01-01", -24, "hour", "2020-12-31"),
])
def test_time_is_added_as_javascript_does(text: str, amount: int, unit: str, expected: str) -> None:
    assert plus_time(text, amount, unit) == parse(expected)


@pytest.mark.parametrize("expression", [
    None, 3.14, {}, {"var": "a", "+": [1, 2]}, {"var": 0}, {"var": "x."}, {"unknown": [1]}, {"!": 1}, {"!": [1, 2]},
    {"if": [1, 2]}, {"and": [1]}, {"===": [1]}, {"in": [1, [], 3]}, {"<": [1]}, {"before": [1, 2, 3, 4]},
    {"plusTime": ["2021", "1", "day"]}, {"plusTime": ["2021", 1, "week"]}, {"plusTime": ["2021", 1]},
    {"reduce": [[], 1]}, {"extractFromUVCI": ["a", "0"]}, {"extractFromUVCI": ["a"]}, {"dccDateOfBirth": []},
    [{"+": [1, None]}], {"or": [True, True]},
])
def test_what_is_not_certlogic_is_refused_before_it_is_ever_evaluated(expression: Any) -> None:
    with pytest.raises(DocumentError):
        compile_logic(expression)


@pytest.mark.parametrize("expression", [
    {"if": [{"plusTime": ["2021", 0, "day"]}, 1, 2]}, {"and": [True, {"plusTime": ["2021", 0, "day"]}]},
    {"in": ["a", "abc"]}, {"+": ["1", 2]}, {"+": [True, 2]}, {"<": ["1", "2"]}, {"<": [1, True]},
    {"before": ["2021", "2022"]}, {"plusTime": [{"var": "absent"}, 0, "day"]}, {"plusTime": ["2021-02-30", 0, "day"]},
    {"plusTime": ["9999-12-31", 1, "day"]}, {"reduce": ["text", 1, 0]}, {"reduce": [[0] * (ENTRIES_MAX + 1), 1, 0]},
    {"extractFromUVCI": [7, 0]}, {"dccDateOfBirth": ["2004-01-01T00:00:00Z"]}, {"dccDateOfBirth": [2004]},
    {"!": [{"dccDateOfBirth": ["2004"]}]},
])
def test_a_type_that_does_not_fit_raises(expression: Any) -> None:
    evaluate = compile_logic(expression)
    with pytest.raises((LogicError, ValueError, OverflowError)):
        evaluate({})


def test_equality_is_javascripts() -> None:
    same = compile_logic({"===": [{"var": "a"}, {"var": "b"}]})
    assert same({}) and same({"a": 1, "b": 1}) and same({"a": "x", "b": "x"})
    assert not same({"a": True, "b": 1}) and not same({"a": [], "b": []}) and not same({"a": 0, "b": False})
    member = compile_logic({"in": [{"var": "a"}, [1, "x", False]]})
    assert member({"a": 1}) and member({"a": False})
    assert not member({"a": True}) and not member({"a": 0})


def test_what_an_expression_can_cost_is_known_before() -> None:
    assert steps({"and": [{"var": "a"}, True]}) == 3
    assert steps({"reduce": [{"var": "v"}, {"+": [{"var": "current"}, 1]}, 0]}) == 3 + 3 * ENTRIES_MAX
    twice = {"reduce": [{"var": "v"}, {"reduce": [{"var": "v"}, 1, 0]}, 0]}
    assert steps(twice) > ENTRIES_MAX**2


def test_nesting_has_a_limit() -> None:
    deep: Any = True
    for _ in range(DEPTH_MAX):
        deep = {"!": [deep]}
    assert compile_logic(deep)({}) is True
    with pytest.raises(DocumentError, match="deeper"):
        compile_logic({"!": [deep]})


def test_the_context_inside_a_nested_reduce_is_the_whole_one() -> None:
    nested = {"reduce": [{"var": "v"}, {"reduce": [[1], {"var": "data.x"}, 0]}, 0]}
    assert compile_logic(nested)({"v": [1], "x": "whole"}) == "whole"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["2021-09-15", "payload.v"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    | st.builds(lambda name, operands: {name: operands}, st.sampled_from(
        ["if", "and", "!", "===", "in", "+", "<", "after", "plusTime", "reduce", "dccDateOfBirth", "extractFromUVCI",
         "var"]), st.lists(inner, max_size=3) | inner)
    | st.builds(lambda text, amount, unit: {"plusTime": [text, amount, unit]}, inner, st.integers(),
                st.sampled_from(UNITS)),
    max_leaves=20)


@given(JSON, JSON)
def test_whatever_is_given_only_the_known_errors_come_out(expression: Any, data: Any) -> None:
    try:
        evaluate = compile_logic(expression)
    except DocumentError:
        return
    with suppress(ValueError, OverflowError):
        evaluate(data)
