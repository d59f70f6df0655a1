"""Reads a gate's config from YAML: every fault at once, each with its line, its column and what to do.

`load` is what the daemon calls; `check` tells warnings from errors for people. A relative path in the file
counts from the file's own folder. The keys beside `driver` are that driver's own `Settings`.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import msgspec

from gate import drivers
from gate.config import Config, Section
from gate.config.rules import FILE_RULES, RULES, Rule
from gate.config.words import describe
from gate.config.yaml_tree import FILE_MAX_BYTES, START, Node, Place, read_tree
from gate.errors import ConfigError, UsageError

DRIVERS = {
    "barrier": drivers.BARRIERS,
    "readers": drivers.READERS,
    "indicators": drivers.INDICATORS,
    "contacts": drivers.CONTACTS,
}
"""Which table of drivers serves which top key."""

FINDINGS_MAX = 100
"""A file with more faults than this is not a config that somebody mistyped."""

BAD: Any = msgspec.UNSET
"""Stands for a value that was complained of; a section that holds one is BAD itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or warning: where, at which key, what is wrong and what to do."""

    place: Place
    key: str
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return ":".join(map(str, self.place)) + ": " + (f"{self.key}: " if self.key else "") + self.text


@dataclass(slots=True)
class Report:
    """What `check` found in one file; `config` is None when there are errors."""

    file: Path
    config: Config | None = None
    findings: list[Finding] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)
    """The sound ones among the top sections: what a faulty config can still be used for."""

    def lines(self, *, warnings: bool) -> list[str]:
        """The errors, or the warnings, in the file's order: each `file:line:column: key: what; fix`."""
        return [f"{self.file}:{found}" for found in self.sorted() if found.warning == warnings]

    def sorted(self) -> list[Finding]:
        """Everything, in the file's order."""
        return sorted(self.findings, key=lambda found: found.place)


def load(file: Path, *, files: bool = True) -> Config:
    """Read and validate a config; `files=False` does not look for the files that it names.

    Raises:
        ConfigError: `problems` holds every error, each `file:line:column: key: what is wrong; fix`.
        UsageError: the file cannot be opened.
    """
    report = check(file, files=files)
    if report.config is None:
        raise ConfigError(report.lines(warnings=False))
    return report.config


def check(file: Path, *, files: bool = True) -> Report:
    """Read a config and say everything that is wrong with it or doubtful.

    Raises:
        UsageError: the file cannot be opened.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}; name a config with --config FILE") from error
    report = Report(file)
    reading = _Reading(report, base=file.absolute().parent)
    tree = read_tree(data, reading.complain)
    if tree is None and not report.findings:
        reading.complain(START, "", "the file is empty; start from the example in config/")
    if tree is None:
        return report
    sections = reading.values(tree, _fields(Config), "")
    report.sections = {key: value for key, value in sections.items() if value is not BAD}
    reading.judge((*RULES, *(FILE_RULES if files else ())), sections)
    if not report.lines(warnings=False):
        report.config = Config(**sections)
    return report


class _Reading:
    """One pass over one file: walks the types of the config beside the nodes of the file."""

    def __init__(self, report: Report, base: Path) -> None:
        self._report = report
        self._base = base
        self._places: dict[str, Place] = {"": START}

    def complain(self, place: Place, key: str, text: str, warning: bool = False) -> None:
        findings = self._report.findings
        if len(findings) < FINDINGS_MAX:
            findings.append(Finding(place, key, text, warning))
        elif len(findings) == FINDINGS_MAX:
            findings.append(Finding(place, "", f"more than {FINDINGS_MAX} faults; mend these first"))

    def judge(self, rules: Iterable[Rule], sections: dict[str, Any]) -> None:
        """Apply each rule whose sections (the names of its parameters) are all sound."""
        for rule in rules:
            wanted = {name: sections.get(name, BAD) for name in inspect.signature(rule).parameters}
            if BAD in wanted.values():
                continue
            for key, text, warning in rule(**wanted):
                self.complain(self._place_of(key), key, text, warning)

    def values(self, node: Node, fields: dict[str, Any], path: str) -> dict[str, Any]:
        """The value of each field, its default or BAD; complains of unknown and of missing keys."""
        if not isinstance(node.value, dict):
            self.complain(node.place, path, f"keys and values belong here, such as {', '.join(list(fields)[:3])}")
            return dict.fromkeys(fields, BAD)
        for key, child in node.value.items():
            if key not in fields:
                self.complain(child.key_place, _join(path, key),
                              f"unknown key; {_did_you_mean(key, fields)}known here: {', '.join(fields)}")
        values: dict[str, Any] = {}
        for name, known in fields.items():
            key = _join(path, name)
            if name in node.value:
                self._places[key] = node.value[name].place
                values[name] = self._value(node.value[name], known.type, key)
            elif known.required:
                self.complain(node.key_place, key, f"missing; add `{name}:` with {describe(known.type)}")
                values[name] = BAD
            else:
                values[name] = _default(known)
        return values

    def _value(self, node: Node, annotation: Any, path: str) -> Any:
        section = _section_of(annotation)
        if get_origin(annotation) is tuple and get_args(annotation)[1:] == (...,):
            return self._list(node, get_args(annotation)[0], path)
        if section is None or (node.value is None and annotation is not section):
            return self._leaf(node, annotation, path)
        return self._section(node, section, path)

    def _list(self, node: Node, annotation: Any, path: str) -> Any:
        if not isinstance(node.value, list):
            self.complain(node.place, path, "a list belongs here; begin each item with `- `")
            return BAD
        items = []
        for index, item in enumerate(node.value):
            self._places[f"{path}[{index}]"] = item.place
            items.append(self._value(item, annotation, f"{path}[{index}]"))
        return BAD if any(item is BAD for item in items) else tuple(items)

    def _section(self, node: Node, section: type[Section], path: str) -> Any:
        own = _fields(section)
        if "settings" not in own:
            return self._build(section, self.values(node, own, path), node, path)
        del own["settings"]
        settings = self._settings_class(node, path)
        if settings is None:
            return BAD
        theirs = _fields(settings)
        values = self.values(node, own | theirs, path)
        built = self._build(settings, {name: values[name] for name in theirs}, node, path)
        return self._build(section, {name: values[name] for name in own} | {"settings": built}, node, path)

    def _settings_class(self, node: Node, path: str) -> type[Section] | None:
        """The `Settings` of the driver that a device names, or None after a complaint."""
        table = DRIVERS[re.split(r"[.\[]", path)[0]]
        named = node.value.get("driver") if isinstance(node.value, dict) else None
        if named is None:
            self.complain(node.place, _join(path, "driver"),
                          f"missing; add `driver:` with one of {', '.join(table)}")
            return None
        if named.value not in table:
            self.complain(named.place, _join(path, "driver"), f"no driver is called {_shown(named)}; "
                          f"{_did_you_mean(named.text, table)}known: {', '.join(table)}")
            return None
        try:
            settings: type[Section] = drivers.resolve(table, named.value).Settings
        except ImportError as error:
            self.complain(named.place, _join(path, "driver"),
                          f"this driver cannot be loaded here ({error}); install what it needs, see README.md")
            return None
        return settings

    def _build(self, section: type[Section], values: dict[str, Any], node: Node, path: str) -> Any:
        if any(value is BAD for value in values.values()):
            return BAD
        try:
            return section(**values)
        except ValueError as error:  # a section may check itself in __post_init__
            self.complain(node.place, path, str(error))
            return BAD

    def _leaf(self, node: Node, annotation: Any, path: str) -> Any:
        try:
            return msgspec.convert(_plain(node), annotation, strict=True, dec_hook=self._path)
        except msgspec.ValidationError:
            pass
        wanted = describe(annotation)
        if node.value is None:
            self.complain(node.place, path, f"no value; write {wanted}")
        elif not isinstance(node.value, (str, list, dict)) and _fits(node.text, annotation):
            self.complain(node.place, path, f'text belongs here; put it in quotes: "{node.text}"')
        else:
            guess = _did_you_mean(node.text, wanted.removeprefix("one of ").split(", "))
            self.complain(node.place, path, f"{_shown(node)} is not possible here; {guess}write {wanted}")
        return BAD

    def _path(self, kind: type, value: Any) -> Any:
        if kind is not Path or not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("not a path")
        return self._base / value

    def _place_of(self, key: str) -> Place:
        """Where a key stands, or the nearest section around it where it was left out."""
        while key not in self._places:
            key = key[:max(key.rfind("."), key.rfind("["), 0)]
        return self._places[key]


def _fields(section: type[msgspec.Struct]) -> dict[str, Any]:
    return {known.name: known for known in msgspec.structs.fields(section)}


def _default(known: Any) -> Any:
    return known.default_factory() if known.default is msgspec.NODEFAULT else known.default


def _section_of(annotation: Any) -> type[Section] | None:
    """The section that a type is, alone or as `X | None`."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value


def _fits(text: str, annotation: Any) -> bool:
    try:
        msgspec.convert(text, annotation, strict=True)
    except (msgspec.ValidationError, TypeError):
        return False
    return True


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shown(node: Node) -> str:
    """A value as an error shows it: short, and with nothing that moves a cursor."""
    if isinstance(node.value, (dict, list)):
        return "this structure"
    return repr(node.text) if len(node.text) <= 60 else repr(node.text[:57]) + "..."


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean `{close[0]}`? " if close else ""
