"""The config as a JSON Schema, with each driver's own keys beside `driver`, and as a table for people."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from gate import config, drivers
from gate.config.reading import DRIVERS
from gate.config.words import describe, field_help

TITLE = "Gate controller config"


def schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) that editors complete and check a config by."""
    tables = {name: _settings_by_driver(name) for name in DRIVERS}
    settings = {section for table in tables.values() for section in table.values()}
    _, components = msgspec.json.schema_components(
        [config.Config, *sorted(settings, key=_qualified_name)], schema_hook=_hook, ref_template="#/$defs/{name}",
    )
    for section in {*_sections(), *settings}:
        properties = _component(components, section)["properties"]
        for name, text in field_help(section).items():
            properties[name] = {"description": text} | properties[name]
    root = components.pop("Config")
    for name, table in tables.items():
        holder = root["properties"][name]
        if "items" in holder:
            holder["items"] = _one_of(components, holder["items"], table)
        else:
            root["properties"][name] = _one_of(components, holder, table)
    merged: set[type] = {config.Device, config.ReaderConfig, config.ContactConfig, *settings}
    for device in merged:
        components.pop(_component_name(components, device), None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **root, "$defs": components}


def key_table() -> str:
    """Every key, what it may hold, its default and its purpose, as Markdown."""
    lines: list[str] = []
    for heading, section in _headed_sections():
        fields = [known for known in msgspec.structs.fields(section) if known.name != "settings"]
        if not fields:
            lines += [f"## {heading}", "", "No keys of its own.", ""]
            continue
        lines += [f"## {heading}", "", "| key | value | default | purpose |", "|---|---|---|---|"]
        for known in fields:
            default = "**required**" if known.required else _shown(known)
            value = describe(known.type).replace("|", "\\|")
            purpose = field_help(section).get(known.name) or _section_help(known.type)
            lines.append(f"| `{known.name}` | {value} | {default} | {purpose} |")
        lines.append("")
    return "\n".join(lines)


def _section_help(annotation: Any) -> str:
    """The first sentence of the section that a key holds, or nothing for a plain value."""
    section = next((part for part in (annotation, *get_args(annotation)) if part in _sections()), None)
    return str(inspect.getdoc(section)).partition("\n")[0] if section else ""


def _headed_sections() -> Iterator[tuple[str, type[config.Section]]]:
    yield "Top level", config.Config
    yield from (
        ("`site`", config.Site), ("`gate`", config.Gate), ("`documents`", config.Documents),
        ("`pins`", config.Pins),
        ("`portal`", config.Portal), ("`admission`", config.Admission), ("`ledger`", config.Ledger),
        ("`mqtt`", config.Mqtt), ("`mqtt.tls`", config.Tls), ("`readers`, each", config.ReaderConfig),
        ("`contacts`, each", config.ContactConfig),
    )
    for name in DRIVERS:
        for driver, settings in _settings_by_driver(name).items():
            yield f"`{name}` with `driver: {driver}`", settings


def _sections() -> set[type[config.Section]]:
    return {section for section in vars(config).values()
            if isinstance(section, type) and issubclass(section, config.Section) and section is not config.Section}


def _settings_by_driver(name: str) -> dict[str, type[config.Section]]:
    return {driver: drivers.resolve(DRIVERS[name], driver).Settings for driver in DRIVERS[name]}


def _one_of(
    components: dict[str, Any], holder: dict[str, Any], table: dict[str, type[config.Section]]
) -> dict[str, Any]:
    """One shape a driver: the device's own keys and that driver's, nothing else."""
    device = components[holder["$ref"].rpartition("/")[2]]
    shapes = []
    for driver, section in table.items():
        settings = _component(components, section)
        own = {key: value for key, value in device["properties"].items() if key != "settings"}
        shapes.append({
            "type": "object",
            "title": driver,
            "properties": own | {"driver": {"const": driver}} | settings["properties"],
            "required": [*device["required"], *settings.get("required", [])],
            "additionalProperties": False,
        })
    return {key: value for key, value in holder.items() if key != "$ref"} | {"oneOf": shapes}


def _component(components: dict[str, Any], section: type) -> Any:
    return components[_component_name(components, section)]


def _component_name(components: dict[str, Any], section: type) -> str:
    """Where msgspec put a section: under its short name, or its full one when two share the short one."""
    return section.__name__ if section.__name__ in components else _qualified_name(section).replace(".", "_")


def _qualified_name(section: type) -> str:
    return f"{section.__module__}.{section.__qualname__}"


def _hook(kind: type) -> dict[str, Any]:
    if kind is Path:
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(kind)


def _shown(known: Any) -> str:
    if known.default is msgspec.NODEFAULT or isinstance(known.default, msgspec.Struct) or known.default == ():
        return "as below" if isinstance(known.default, msgspec.Struct) else "none"
    if known.default is None:
        return "left out"
    if isinstance(known.default, tuple):
        return "`[" + ", ".join(map(str, known.default)) + "]`"
    return "`" + msgspec.json.encode(known.default).decode() + "`"
