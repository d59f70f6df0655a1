"""Whether an expression is CertLogic 1.3.3, and what evaluating it can cost at most. Pure.

The messages are those of the specification's own validator, so that its test suite says whether ours agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from gate.policy.health.date_times import UNITS

DEPTH_MAX = 48
"""How deep expressions may nest."""
ENTRIES_MAX = 32
"""The longest array that `reduce` goes through: a record holds no more entries of a kind."""

INTEGER_COMPARISONS = ("<", ">", "<=", ">=")
DATE_TIME_COMPARISONS = ("after", "before", "not-after", "not-before")
_PATH = re.compile(r"[^.]+(\.[^.]+)*|")
_FIXED = {"if": 3, "plusTime": 3, "reduce": 3, "extractFromUVCI": 2}
_INFIX = {"===": 2, "in": 2, "+": 2}
_ONE_OPERAND = {"!": "!-operation (logical not/negation)", "dccDateOfBirth": '"dccDateOfBirth"-operation'}


class Issue(NamedTuple):
    """What is wrong with which part of an expression."""

    expr: Any
    message: str


def issues(expression: Any, depth: int = 0) -> Iterator[Issue]:
    """Everything that is not well formed in an expression; nothing for a good one."""
    match expression:
        case _ if depth > DEPTH_MAX:
            yield Issue(None, f"nested deeper than {DEPTH_MAX}")
        case bool() | str():
            pass
        case int() | float():
            if not is_integer(expression):
                yield Issue(expression, f"{expression} is a non-integer number")
        case list():
            yield from _each(expression, depth)
        case dict() if len(expression) != 1:
            yield Issue(expression, f"expression object must have exactly one key, but it has {len(expression)}")
        case {"var": path}:
            yield from _path_issues(expression, path)
        case dict():
            [(operator, operands)] = expression.items()
            if isinstance(operands, list):
                yield from _operation_issues(expression, operator, operands, depth)
            else:
                yield Issue(expression, 'operation not of the form { "<operator>": [ <values...> ] }')
        case _:
            yield Issue(expression, "invalid CertLogic expression")


def steps(expression: Any) -> int:
    """The most parts of a good expression that one evaluation can come to."""
    match expression:
        case {"var": str()}:
            return 1
        case {"reduce": [operand, body, initial]}:
            return 1 + steps(operand) + ENTRIES_MAX * steps(body) + steps(initial)
        case dict():
            [operands] = expression.values()
            return 1 + sum(map(steps, operands))
        case list():
            return 1 + sum(map(steps, expression))
    return 1


def is_integer(value: Any) -> bool:
    """Whether JSON means a whole number by it."""
    return type(value) is int or (type(value) is float and value.is_integer())


def _each(operands: list[Any], depth: int) -> Iterator[Issue]:
    for operand in operands:
        yield from issues(operand, depth + 1)


def _path_issues(expression: Any, path: Any) -> Iterator[Issue]:
    if not isinstance(path, str):
        yield Issue(expression, 'not of the form { "var": "<path>" }')
    elif not _PATH.fullmatch(path):
        yield Issue(expression, f"data access path doesn't have a valid format: {path}")


def _operation_issues(expression: Any, operator: str, operands: list[Any], depth: int) -> Iterator[Issue]:
    count = len(operands)
    if operator in _FIXED:
        if count != _FIXED[operator]:
            article = "an" if operator[0] in "ei" else "a"
            yield Issue(expression, f'{article} "{operator}"-operation must have exactly {_FIXED[operator]} '
                                    f"values/operands, but it has {count}")
        yield from _fixed_issues(expression, operator, operands[:_FIXED[operator]], depth)
        return
    if operator in _ONE_OPERAND:
        if count != 1:
            yield Issue(expression, f"a {_ONE_OPERAND[operator]} must have exactly 1 operand, but it has {count}")
            return
    elif operator == "and":
        if count < 2:
            yield Issue(expression, f'an "and" operation must have at least 2 operands, but it has {count}')
    elif operator in INTEGER_COMPARISONS or operator in DATE_TIME_COMPARISONS:
        if count not in (2, 3):
            yield Issue(expression, f'an operation with operator "{operator}" must have 2 or 3 operands, '
                                    f"but it has {count}")
        operands = operands[:3]
    elif operator in _INFIX:
        if count != 2:
            yield Issue(expression, f'an operation with operator "{operator}" must have 2 operands, but it has {count}')
        operands = operands[:2]
    else:
        yield Issue(expression, f'unrecognised operator: "{operator}"')
        return
    yield from _each(operands, depth)


def _fixed_issues(expression: Any, operator: str, operands: list[Any], depth: int) -> Iterator[Issue]:
    """Operations some of whose operands are no expressions but constants."""
    if operator in ("if", "reduce"):
        yield from _each(operands, depth)
        return
    yield from _each(operands[:1], depth)
    word = "amount" if operator == "plusTime" else "index"
    if len(operands) > 1 and not is_integer(operands[1]):
        yield Issue(expression, f'"{word}" argument (#2) of "{operator}" must be an integer, but it is: {operands[1]}')
    if operator == "plusTime" and len(operands) > 2 and operands[2] not in UNITS:
        yield Issue(expression, f'"unit" argument (#3) of "plusTime" must be a string equal to one of '
                                f"{', '.join(UNITS)}, but it is: {operands[2]}")
