"""How an event reads on a terminal: both languages, one line, nothing that could steer the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gate.commands.plain import printable
from gate.model import EventKind
from gate.texts import kind_words, reason_text


def event_text(kind: str, data: Mapping[str, Any]) -> str:
    """What happened, why, and the rest of its data as `key=value`."""
    words = kind_words(kind)
    about = [f"{words.vi} / {words.en}"]
    if kind == EventKind.ACCESS_DENIED:
        text = reason_text(str(data.get("reason", "")))
        about.append(f"{text.vi} / {text.en}")
    about += [f"{key}={value}" for key, value in data.items() if value != ""]
    return printable("  ".join(about))
