"""Policy packs: as they are published (`packs.json`, a signed target), and compiled for asking. Pure.

    {"schema": "gate.policy-packs/1", "packs": [PACK, ...]}

    PACK  {"schema": "gate.policy-pack/1", "Identifier", "Version", "Description", "Source", "ValidFrom", "ValidTo",
           "Engine": "CERTLOGIC", "EngineVersion": "1.3.3", "ValueSets", "Rules": [RULE, ...]}
    RULE  {"Identifier", "Description", "AffectedFields", "ValidFrom", "ValidTo", "Mode", "WithoutClock", "Alert",
           "Logic"}

The names are those of the EU's business rules; a rule's Identifier is its pack's, a full stop and a number. ValidFrom
and ValidTo are local days, both of which belong to the span. Everything is compiled when it is read: a pack with one
rule that is not well formed is refused whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gate.errors import DocumentError
from gate.policy.health.certlogic import Evaluate, compile_logic
from gate.policy.health.certlogic_format import steps
from gate.strict_json import NOT_IN_FORM

OPEN = "open"
"""The pack that asks nothing; a gate knows it without any document."""
PACKS_MAX_BYTES = 1_000_000
PACKS_MAX = 32
RULES_MAX = 64
STEPS_MAX = 100_000
"""The most steps that asking one whole pack can take."""

_Language = Annotated[str, Meta(pattern="^[a-z]{2}$")]
_PackId = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
_RuleId = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$")]
_Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}$")]
_Field = Annotated[str, Meta(pattern="^([vtr]|declaration|isolation|contact)[.][a-z]{1,4}$")]


class _Description(msgspec.Struct, forbid_unknown_fields=True):
    lang: _Language
    desc: Annotated[str, Meta(min_length=1, max_length=2000)]


class _Rule(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, kw_only=True):
    identifier: _RuleId
    description: list[_Description]
    affected_fields: list[_Field]
    logic: Any
    valid_from: date | None = None
    valid_to: date | None = None
    mode: Literal["enforce", "observe"] = "enforce"
    without_clock: Literal["pass", "ask"] = "pass"
    alert: bool = False


class _Pack(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, kw_only=True):
    schema_name: Literal["gate.policy-pack/1"] = msgspec.field(name="schema")
    identifier: _PackId
    version: _Version
    description: list[_Description]
    source: Annotated[str, Meta(min_length=1, max_length=1000)]
    engine: Literal["CERTLOGIC"]
    engine_version: Literal["1.3.3"]
    valid_from: date | None = None
    valid_to: date | None = None
    value_sets: dict[str, list[str]] = {}
    rules: Annotated[list[_Rule], Meta(max_length=RULES_MAX)]


class _Packs(msgspec.Struct, forbid_unknown_fields=True):
    schema: Literal["gate.policy-packs/1"]
    packs: Annotated[list[msgspec.Raw], Meta(max_length=PACKS_MAX)]


@dataclass(frozen=True, slots=True)
class Span:
    """Local days from the first to the last, both within it; None is unbounded."""

    first: date | None = None
    last: date | None = None

    def holds(self, day: date) -> bool:
        """Whether `day` lies within."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class Answer(StrEnum):
    """What came of asking one rule."""

    PASSED = "passed"
    REFUSED = "refused"
    ERRED = "erred"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class HealthRule:
    """One rule; `asked_without_clock` even where the site goes on with a clock that it does not trust."""

    id: str
    texts: Mapping[str, str]
    passes: Evaluate = field(repr=False)
    span: Span = Span()
    observed: bool = False
    asked_without_clock: bool = False
    alerts: bool = False

    def answer(self, data: Any, day: date, trusted: bool) -> Answer:
        """Ask; only a plain yes is one, and an error is none."""
        if not (self.span.holds(day) if trusted else self.asked_without_clock):
            return Answer.NOT_ASKED
        try:
            return Answer.PASSED if self.passes(data) is True else Answer.REFUSED
        except Exception:
            return Answer.ERRED


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack, compiled; `fields` are those of the health record that its rules look at."""

    id: str
    version: str
    texts: Mapping[str, str]
    source: str
    span: Span
    rules: tuple[HealthRule, ...]
    value_sets: Mapping[str, list[str]]
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """What one gate asks: packs by their ids, and which rules refuse nobody but are only observed."""

    packs: tuple[str, ...] = (OPEN,)
    observe_all: bool = False
    observe: frozenset[str] = frozenset()

    def observes(self, rule: HealthRule) -> bool:
        """Whether this gate lets people pass whom the rule would refuse."""
        return self.observe_all or rule.observed or rule.id in self.observe


def pack_from_json(document: bytes) -> Pack:
    """Read and compile one pack.

    Raises:
        DocumentError: not in form, no text in Vietnamese and English, a rule that is no CertLogic, or one too costly.
    """
    pack = _decode(document, _Pack)
    if not pack.rules and pack.identifier != OPEN:
        raise DocumentError(f"pack {pack.identifier}: no rules; only the pack {OPEN!r} asks nothing")
    ids = [rule.identifier for rule in pack.rules]
    if len(set(ids)) < len(ids):
        raise DocumentError(f"pack {pack.identifier}: two rules have one Identifier")
    if strangers := [name for name in ids if not name.startswith(f"{pack.identifier}.")]:
        raise DocumentError(f"pack {pack.identifier}: call the rule {strangers[0]} {pack.identifier}.NUMBER")
    rules = tuple(_rule(pack.identifier, rule) for rule in pack.rules)
    if (cost := sum(steps(rule.logic) for rule in pack.rules)) > STEPS_MAX:
        raise DocumentError(f"pack {pack.identifier}: asking it can take {cost} steps; at most {STEPS_MAX} are allowed")
    return Pack(
        pack.identifier, pack.version, _texts(f"pack {pack.identifier}", pack.description), pack.source,
        Span(pack.valid_from, pack.valid_to), rules, pack.value_sets,
        frozenset(name for rule in pack.rules for name in rule.affected_fields))


def packs_from_json(document: bytes) -> Mapping[str, Pack]:
    """Read the signed target `packs.json`: each pack by its id.

    Raises:
        DocumentError: too long, not in form, one pack twice, or a pack that cannot be read.
    """
    packs: dict[str, Pack] = {}
    for raw in _decode(document, _Packs).packs:
        pack = pack_from_json(bytes(raw))
        if packs.setdefault(pack.id, pack) is not pack:
            raise DocumentError(f"two packs are called {pack.id}")
    return packs


def packs_to_json(packs: list[bytes]) -> bytes:
    """Join the documents of single packs into `packs.json`.

    Raises:
        DocumentError: a gate would refuse it.
    """
    joined = msgspec.json.encode({"schema": "gate.policy-packs/1", "packs": [msgspec.Raw(pack) for pack in packs]})
    packs_from_json(joined)
    return joined


def _decode(document: bytes, shape: type[Any]) -> Any:
    if len(document) > PACKS_MAX_BYTES:
        raise DocumentError(f"policy packs of {len(document)} bytes; at most {PACKS_MAX_BYTES} are read")
    try:
        return msgspec.json.decode(document, type=shape)
    except NOT_IN_FORM as error:
        raise DocumentError(f"policy packs: {error}") from error


def _rule(pack: str, rule: _Rule) -> HealthRule:
    where = f"pack {pack}, rule {rule.identifier}"
    try:
        passes = compile_logic(rule.logic)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from error
    return HealthRule(
        rule.identifier, _texts(where, rule.description), passes, Span(rule.valid_from, rule.valid_to),
        rule.mode == "observe", rule.without_clock == "ask", rule.alert)


def _texts(where: str, description: list[_Description]) -> Mapping[str, str]:
    texts = {text.lang: text.desc for text in description}
    if not {"vi", "en"} <= texts.keys():
        raise DocumentError(f"{where}: describe it in vi and in en")
    return texts
