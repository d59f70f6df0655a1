"""Reads a small YAML 1.2 file into plain nodes that know their line and column; refuses what a config never needs.

Refused, each with its place: anchors and aliases (they can multiply without end), tags, a key twice, a second
document, nesting beyond `DEPTH_MAX`, and files longer than `FILE_MAX_BYTES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, SequenceNode
from ruamel.yaml.reader import ReaderError

FILE_MAX_BYTES = 65_536
DEPTH_MAX = 10

_PLAIN = ("int", "float", "bool", "null")
"""The only scalars that are not text; a date stays text."""


class Place(NamedTuple):
    """Where something stands; both count from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a scalar, a list of nodes or a dict of nodes; `text` is a scalar as it was written."""

    value: Any
    place: Place
    text: str = ""
    key_place: Place = START


Complain = Callable[[Place, str, str], None]
"""Takes the place, the key's path, and what is wrong with its fix."""


def read_tree(data: bytes, complain: Complain) -> Node | None:
    """Read one YAML document, or complain and return None where it cannot be read at all."""
    if len(data) > FILE_MAX_BYTES:
        complain(START, "", f"the file is longer than {FILE_MAX_BYTES} bytes; a config is a few thousand")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[:error.start]
        place = Place(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        complain(place, "", "not UTF-8; save the file as UTF-8")
        return None
    try:
        if not _is_plain(text, complain):
            return None
        root = _yaml().compose(text)
        return None if root is None else _node(root, "", complain)
    except MarkedYAMLError as error:
        place = _place(error.problem_mark) if error.problem_mark else START
        complain(place, "", f"not YAML: {error.problem or error.context}; {_syntax_fix(error)}")
    except ReaderError as error:
        before_text = text[:error.position]
        place = Place(before_text.count("\n") + 1, error.position - before_text.rfind("\n"))
        complain(place, "", "a character that YAML does not allow; delete it")
    except YAMLError as error:
        complain(START, "", f"not YAML: {error}; see the example in config/")
    return None


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _is_plain(text: str, complain: Complain) -> bool:
    """Walk the events, which never nest in memory, before anything is built from them."""
    depth, plain = 0, True
    for event in _yaml().parse(text):
        wrong = ""
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                complain(_place(event.start_mark), "", f"nested deeper than {DEPTH_MAX}; a config is flatter")
                return False
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            wrong = "anchors and aliases are refused; write the value out, or quote it when it begins with & or *"
        elif isinstance(event, NodeEvent) and getattr(event, "tag", None):
            wrong = "tags are refused; write the plain value, or quote it when it begins with !"
        if wrong:
            complain(_place(event.start_mark), "", wrong)
            plain = False
    return plain


def _node(node: Any, path: str, complain: Complain, key_place: Place = START) -> Node:
    place = _place(node.start_mark)
    if isinstance(node, SequenceNode):
        items = [_node(item, f"{path}[{index}]", complain, _place(item.start_mark))
                 for index, item in enumerate(node.value)]
        return Node(items, place, key_place=key_place)
    if isinstance(node, MappingNode):
        return Node(_mapping(node, path, complain), place, key_place=key_place)
    value: Any = node.value
    if str(node.tag).rpartition(":")[2] in _PLAIN:
        value = _scalar(node)
    return Node(value, place, node.value, key_place)


def _scalar(node: Any) -> Any:
    """A number, true, false or null; what is beyond reading (4,301 digits, infinity) stays text."""
    try:
        value = _yaml().constructor.construct_object(node)
    except ValueError:
        return node.value
    return node.value if isinstance(value, float) and not math.isfinite(value) else value


def _mapping(node: MappingNode, path: str, complain: Complain) -> dict[str, Node]:
    children: dict[str, Node] = {}
    for key, value in node.value:
        place = _place(key.start_mark)
        if not isinstance(key.value, str):
            complain(place, path, "a key must be one word; see the example in config/")
            continue
        child = f"{path}.{key.value}" if path else key.value
        if key.value in children:
            first = children[key.value].key_place
            complain(place, child, f"a second time (first on line {first.line}); keep one of them")
            continue
        children[key.value] = _node(value, child, complain, place)
    return children


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _syntax_fix(error: MarkedYAMLError) -> str:
    problem = str(error.problem)
    if "\\t" in problem or "\t" in problem:
        return "indent with spaces, not tabs"
    return "check the indentation, the space after each colon, and the quotes"
