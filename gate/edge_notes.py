"""What is recorded and told of the gate's edge: documents that came or were refused, readers that come and go. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from gate.model import Documents, EventKind, ReaderState

DETAIL_MAX_CHARS = 300
"""How much of a text from the edge goes into a record or an alert."""


class EdgeNote(NamedTuple):
    """A record, and the alert that it raises; with no `detail` it clears it."""

    kind: EventKind
    data: dict[str, Any]
    alert: str
    detail: str | None


def edge_note(said: Documents | ReaderState) -> EdgeNote:
    """What to note of it."""
    if isinstance(said, ReaderState):
        kind = EventKind.READER_BACK if said.present else EventKind.READER_LOST
        detail = brief(said.detail)
        alert = None if said.present else detail or "gone"
        return EdgeNote(kind, {"reader": said.reader, "detail": detail}, f"reader-{said.reader}", alert)
    if said.problem is None:
        return EdgeNote(EventKind.DOCUMENTS_APPLIED, {"versions": dict(said.versions)}, "documents-refused", None)
    problem = brief(said.problem)
    return EdgeNote(EventKind.DOCUMENTS_REFUSED, {"detail": problem}, "documents-refused", problem)


def brief(text: str) -> str:
    """Text from the edge, as long and as clean as a record can take it."""
    return text[:DETAIL_MAX_CHARS].encode(errors="replace").decode()
