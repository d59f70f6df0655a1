"""What the ledger and the operators hear of documents and readers."""

from __future__ import annotations

import pytest

from gate.edge_notes import DETAIL_MAX_CHARS, EdgeNote, brief, edge_note
from gate.model import Documents, EventKind, ReaderState


@pytest.mark.parametrize(("said", "note"), [
    (Documents(object(), {"roster": 7}),
     EdgeNote(EventKind.DOCUMENTS_APPLIED, {"versions": {"roster": 7}}, "documents-refused", None)),
    (Documents(None, {}, "rollback"),
     EdgeNote(EventKind.DOCUMENTS_REFUSED, {"detail": "rollback"}, "documents-refused", "rollback")),
    (ReaderState("in", False, "unplugged"),
     EdgeNote(EventKind.READER_LOST, {"reader": "in", "detail": "unplugged"}, "reader-in", "unplugged")),
    (ReaderState("in", False, ""),
     EdgeNote(EventKind.READER_LOST, {"reader": "in", "detail": ""}, "reader-in", "gone")),
    (ReaderState("in", True, ""),
     EdgeNote(EventKind.READER_BACK, {"reader": "in", "detail": ""}, "reader-in", None)),
])
def test_an_alert_stands_while_something_is_wrong_and_ends_when_it_is_right(said, note):
    assert edge_note(said) == note


def test_a_text_from_the_edge_is_cut_and_can_always_be_written_down():
    assert len(brief("x" * 10_000)) == DETAIL_MAX_CHARS
    assert brief("half a pair: \ud800") == "half a pair: ?"
