"""Prints docs/asyncapi.yaml: every topic, with schemas made from the message types of `gate.wire` (`make schema`)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import msgspec
from ruamel.yaml import YAML

import gate
from gate import wire
from gate.model import EventKind

DESCRIPTION = (
    "What a gate says over MQTT, and what it listens to. A payload is a CloudEvent 1.0 in structured JSON. "
    "A broker is not trusted: only signatures open a gate, change what it believes, or let it forget an event. "
    "A reader must pass over fields, event types and alerts that it does not know: more may come within version 1."
)


@dataclass(frozen=True)
class Topic:
    """One topic: its last levels, what it carries, and how MQTT carries it."""

    tail: str
    data: type[msgspec.Struct]
    qos: int
    retain: bool = False
    gate_sends: bool = True

    @property
    def name(self) -> str:
        """The word in the topic and in the CloudEvents type."""
        return self.tail.partition("/")[0]

    @property
    def address(self) -> str:
        """The whole topic with its parameters."""
        if self.data is wire.SignedPassages:
            return wire.presence("{site}", "{gate}", "{page}")
        return (wire.up if self.gate_sends else wire.down)("{site}", "{gate}", self.tail)


TOPICS = (
    Topic("status", wire.Status, qos=1, retain=True),
    Topic("info", wire.Info, qos=1, retain=True),
    Topic("state", wire.State, qos=1, retain=True),
    Topic("health", wire.Health, qos=0),
    Topic("event", wire.Event, qos=1),
    Topic("live", wire.Live, qos=0),
    Topic("alert/{id}", wire.AlertState, qos=1, retain=True),
    Topic("passages", wire.SignedPassages, qos=1, retain=True),
    Topic("reply/{client}", wire.Reply, qos=0),
    Topic("ack", wire.SignedAck, qos=1, gate_sends=False),
    Topic("command/{verb}", wire.SignedCommand, qos=1, gate_sends=False),
)
PARAMETERS = {
    "site": "The site's id in its config: a-z, 0-9 and hyphens.",
    "gate": "The gate's id, unique in its site.",
    "page": "00 to 63: a page of the gate's passages, which its peers listen to as well.",
    "id": "The alert's id; an empty retained payload clears it.",
    "client": "Whoever commanded, by the name that the command gave: a-z, 0-9 and hyphens.",
    "verb": "open, open-for, override, lockdown, evacuate, normal, reset-passback, identify, documents or restart.",
}


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, seen from the gate: it sends `up/...` and receives `down/...`."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Gate controller", "version": gate.__version__, "description": DESCRIPTION,
                 "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {topic.name: _operation(topic) for topic in TOPICS},
        "components": {
            "parameters": {name: {"description": text} for name, text in PARAMETERS.items()},
            "messages": {topic.name: _message(topic) for topic in TOPICS},
            "schemas": _schemas(),
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.address,
        "parameters": {name: _ref("parameters", name) for name in PARAMETERS if f"{{{name}}}" in topic.address},
        "messages": {topic.name: _ref("messages", topic.name)},
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send" if topic.gate_sends else "receive",
        "summary": _one_line((topic.data.__doc__ or "").partition("\n\n")[0]),
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
        "bindings": {"mqtt": {"qos": topic.qos, "retain": topic.retain, "bindingVersion": "0.2.0"}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    data = _ref("schemas", topic.data.__name__)
    if topic.data is wire.Event:
        return {
            "summary": f"1 to {wire.BATCH_MAX_EVENTS} events in order, in the very bytes that the ledger stores.",
            "contentType": "application/cloudevents-batch+json",
            "payload": {"type": "array", "minItems": 1, "maxItems": wire.BATCH_MAX_EVENTS, "items": data},
        }
    filled_in = {"properties": {"type": {"const": f"gate.{topic.name}"}, "data": data}}
    return {"payload": {"allOf": [_ref("schemas", wire.Message.__name__), filled_in]}}


def _schemas() -> dict[str, Any]:
    structs = [wire.Message, wire.Ack, wire.Command, wire.Passages, *(topic.data for topic in TOPICS)]
    _, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        schema["description"] = _one_line(schema["description"])
    schemas["Event"]["properties"]["type"]["examples"] = [wire.EVENT_TYPE + kind for kind in EventKind]
    schemas["SignedAck"]["properties"]["sign1"]["contentEncoding"] = "base64"
    return schemas


def _ref(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Print it."""
    yaml = YAML()
    yaml.width = 116
    yaml.representer.ignore_aliases = lambda data: True
    print("# Made by `make schema` from gate/wire.py: change it there.")  # noqa: T201
    yaml.dump(document(), sys.stdout)


if __name__ == "__main__":
    main()
