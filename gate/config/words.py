"""Says in words what a config key may hold: one description for error messages, the schema and the documents."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types


def describe(annotation: Any) -> str:
    """What values a field's type admits, for people: `a whole number from 1 to 65535`."""
    return _describe(types.type_info(annotation))


def _describe(kind: types.Type) -> str:  # noqa: PLR0911, PLR0912  (one line a type)
    match kind:
        case types.Metadata(type=inner, extra_json_schema={"description": text}):
            # A pattern says to machines what the description says to people.
            return text if isinstance(inner, types.StrType) and inner.pattern else f"{_describe(inner)} ({text})"
        case types.Metadata(type=inner):
            return _describe(inner)
        case types.BoolType():
            return "true or false"
        case types.IntType():
            return "a whole number" + _bounds(kind)
        case types.FloatType():
            return "a number" + _bounds(kind)
        case types.StrType(pattern=pattern):
            return f"text of the form {pattern}" if pattern else "text"
        case types.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values)) if len(values) > 1 else repr(values[0])
        case types.EnumType(cls=cls):
            return "one of " + ", ".join(str(member.value) for member in cls)
        case types.CustomType(cls=cls) if cls is Path:
            return "a path"
        case types.VarTupleType(item_type=item) | types.ListType(item_type=item):
            return f"a list, each {_describe(item)}"
        case types.UnionType(types=members):
            return " or ".join(_describe(member) for member in members if not isinstance(member, types.NoneType))
        case types.StructType():
            return "a section"
        case types.DictType():
            return "keys and values"
    return type(kind).__name__.removesuffix("Type").lower()


def _bounds(kind: types.IntType | types.FloatType) -> str:
    low = f"from {kind.ge}" if kind.ge is not None else f"above {kind.gt:g}" if kind.gt is not None else ""
    high = f"to {kind.le:g}" if kind.le is not None else f"below {kind.lt:g}" if kind.lt is not None else ""
    return "".join(f" {word}" for word in (low, high) if word)


@cache
def field_help(section: type[msgspec.Struct]) -> dict[str, str]:
    """The sentence that stands under each field in the source of a section, by field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(body, ast.ClassDef)
    help_of: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            help_of[field.target.id] = inspect.cleandoc(str(after.value.value)).replace("\n", " ")
    return help_of
