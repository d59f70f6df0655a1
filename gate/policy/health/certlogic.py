"""CertLogic 1.3.3, compiled once into functions: the language of health rules. Pure.

Source: CertLogic specification 1.3.3 (eu-dcc-business-rules). Where its test suite says otherwise, the suite wins: `in`
a null and `reduce` of a null are no errors. Inside `reduce` the whole context stands under `data`, as the specification
foresees; rules that are to run elsewhere do without it.

An expression that is not well formed is refused when it is compiled. A type that does not fit shows only when it is
evaluated, and raises: whoever asks takes that for a no.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from gate.errors import DocumentError
from gate.policy.health.certlogic_format import ENTRIES_MAX, issues
from gate.policy.health.date_times import parse, plus_time

Evaluate = Callable[[Any], Any]
"""A compiled expression: takes the data context, JSON values; gives a JSON value or a date-time."""

_UVCI_SEPARATOR = re.compile("[/#:]")
_SCALARS = (str, int, bool, type(None))


class LogicError(ValueError):
    """An operation met a value that it is not defined for."""


def compile_logic(expression: Any) -> Evaluate:
    """Make one function of a JSON expression.

    Raises:
        DocumentError: it is not CertLogic 1.3.3; every fault is named.
    """
    if found := list(issues(expression)):
        raise DocumentError("; ".join(dict.fromkeys(issue.message for issue in found)))
    return _compile(expression, False)


def _compile(expression: Any, in_reduce: bool) -> Evaluate:
    if isinstance(expression, list):
        items = [_compile(item, in_reduce) for item in expression]
        return lambda data: [item(data) for item in items]
    if isinstance(expression, dict):
        [(name, operands)] = expression.items()
        if name == "var":
            return _var(operands)
        if name == "reduce":
            return _reduce(operands, in_reduce)
        return _OPERATIONS[name]([_compile(operand, in_reduce) for operand in operands], operands)
    literal = int(expression) if isinstance(expression, float) else expression
    return lambda data: literal


def _var(path: str) -> Evaluate:
    if not path:
        return lambda data: data
    fragments = [(name, int(name) if name.isascii() and name.isdecimal() else None) for name in path.split(".")]
    if len(fragments) == 2 and all(index is None for _, index in fragments):
        return _member_of_member(*(name for name, _ in fragments))

    def read(data: Any) -> Any:
        for name, index in fragments:
            if type(data) is dict:
                data = data.get(name)
            elif type(data) is list and index is not None:
                data = data[index] if index < len(data) else None
            else:
                return None
        return data

    return read


def _member_of_member(outer: str, inner: str) -> Evaluate:
    """The commonest path, which is the most that evaluating does."""
    def read(data: Any) -> Any:
        found = data.get(outer) if type(data) is dict else None
        return found.get(inner) if type(found) is dict else None

    return read


def _reduce(operands: list[Any], in_reduce: bool) -> Evaluate:
    operand, initial = _compile(operands[0], in_reduce), _compile(operands[2], in_reduce)
    body = _compile(operands[1], True)

    def fold(data: Any) -> Any:
        items, accumulator = operand(data), initial(data)
        if items is None:
            return accumulator
        if type(items) is not list or len(items) > ENTRIES_MAX:
            raise LogicError(f"reduce goes through arrays of at most {ENTRIES_MAX} items")
        whole = data["data"] if in_reduce else data
        for item in items:
            accumulator = body({"current": item, "accumulator": accumulator, "data": whole})
        return accumulator

    return fold


Compiled = list[Evaluate]
Raw = list[Any]


def _if(parts: Compiled, raw: Raw) -> Evaluate:
    guard, then, otherwise = parts
    return lambda data: then(data) if _truth(guard(data)) else otherwise(data)


def _and(parts: Compiled, raw: Raw) -> Evaluate:
    *first, last = parts

    def both(data: Any) -> Any:
        for part in first:
            value = part(data)
            if not _truth(value):
                return value
        value = last(data)
        _truth(value)
        return value

    return both


def _not(parts: Compiled, raw: Raw) -> Evaluate:
    [part] = parts
    return lambda data: not _truth(part(data))


def _equal(parts: Compiled, raw: Raw) -> Evaluate:
    left, right = parts
    return lambda data: _same(left(data), right(data))


def _in(parts: Compiled, raw: Raw) -> Evaluate:
    member, group = parts

    def contains(data: Any) -> bool:
        value, values = member(data), group(data)
        if values is None:
            return False
        if type(values) is not list:
            raise LogicError("the right side of in is an array")
        if type(value) is str:
            return value in values
        return any(_same(value, each) for each in values)

    return contains


def _plus(parts: Compiled, raw: Raw) -> Evaluate:
    left, right = parts

    def add(data: Any) -> int:
        one, other = left(data), right(data)
        if type(one) is not int or type(other) is not int:
            raise LogicError("+ adds integers")
        return one + other

    return add


def _comparison(kind: type, holds: Callable[[Any, Any], bool]) -> Callable[[Compiled, Raw], Evaluate]:
    def make(parts: Compiled, raw: Raw) -> Evaluate:
        def compare(data: Any) -> bool:
            values = [part(data) for part in parts]
            for value in values:
                if type(value) is not kind:
                    raise LogicError(f"a comparison of {kind.__name__} met {type(value).__name__}")
            return all(map(holds, values, values[1:]))

        def compare_two(data: Any) -> bool:
            one, other = parts[0](data), parts[1](data)
            if type(one) is kind and type(other) is kind:
                return holds(one, other)
            return compare(data)

        return compare_two if len(parts) == 2 else compare

    return make


def _plus_time(parts: Compiled, raw: Raw) -> Evaluate:
    text, (_, amount, unit) = parts[0], raw

    def shift(data: Any) -> datetime:
        value = text(data)
        if type(value) is not str:
            raise LogicError("plusTime begins with the text of a date or date-time")
        return plus_time(value, int(amount), unit)

    return shift


def _date_of_birth(parts: Compiled, raw: Raw) -> Evaluate:
    [text] = parts

    def read(data: Any) -> datetime:
        value = text(data)
        if type(value) is not str or "T" in value:
            raise LogicError("a date of birth is a date, or a part of one")
        return parse(value)

    return read


def _extract_from_uvci(parts: Compiled, raw: Raw) -> Evaluate:
    operand, index = parts[0], int(raw[1])

    def extract(data: Any) -> str | None:
        value = operand(data)
        if value is None:
            return None
        if type(value) is not str:
            raise LogicError("extractFromUVCI takes apart a text")
        fragments = _UVCI_SEPARATOR.split(value.removeprefix("URN:UVCI:"))
        return fragments[index] if 0 <= index < len(fragments) else None

    return extract


def _truth(value: Any) -> bool:
    """Truthy or falsy by the specification; a date-time, say, is neither."""
    if value is True or value is False or value is None:
        return value is True
    if type(value) in (str, int, list, dict):
        return bool(value)
    raise LogicError(f"a {type(value).__name__} is neither truthy nor falsy")


def _same(one: Any, other: Any) -> bool:
    """JavaScript's ===, which compares arrays and objects by what they are, not by what is in them."""
    return type(one) is type(other) and isinstance(one, _SCALARS) and bool(one == other)


_OPERATIONS: dict[str, Callable[[Compiled, Raw], Evaluate]] = {
    "if": _if, "and": _and, "!": _not, "===": _equal, "in": _in, "+": _plus,
    "<": _comparison(int, operator.lt), ">": _comparison(int, operator.gt),
    "<=": _comparison(int, operator.le), ">=": _comparison(int, operator.ge),
    "before": _comparison(datetime, operator.lt), "after": _comparison(datetime, operator.gt),
    "not-after": _comparison(datetime, operator.le), "not-before": _comparison(datetime, operator.ge),
    "plusTime": _plus_time, "dccDateOfBirth": _date_of_birth, "extractFromUVCI": _extract_from_uvci,
}
