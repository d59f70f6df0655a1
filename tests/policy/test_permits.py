"""A business whose permit is suspended or over brings nobody in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.errors import DocumentError
from gate.model import Claims, Credential, Direction, Now, Proof, Reason, RosterEntry
from gate.policy.context import Context
from gate.policy.permits import permits_from_json, permits_to_json
from gate.policy.rules import judge
from gate.view import DocumentSet, View

NOON = Now(datetime.fromisoformat("2021-09-30T12:00:00+07:00"), 0.0)
PERMITS = b"""{"schema": "gate.permits/1", "businesses": {
    "now": {"from": "2021-09-15", "to": "2021-09-30"}, "over": {"to": "2021-09-29"}, "tomorrow": {"from": "2021-10-01"},
    "suspended": {"to": "2021-12-31", "suspended": true}, "for-ever": {}}}"""
REQUIRED = PERMITS.replace(b"/1\",", b"/1\", \"required\": true,")


def judged(company: str, permits: bytes | None = PERMITS, **changed: Any) -> Reason | None:
    entry = RosterEntry("an", frozenset({"hall"}), company=company)
    documents = DocumentSet(permits=permits_from_json(permits) if permits else None)
    context = Context(Credential("number", Proof.LISTED, "an", None, entry), Direction.ENTRY,
                      View("hall", ZoneInfo("Asia/Ho_Chi_Minh"), documents), NOON)
    return (judge(replace(context, **changed)) or (None, None))[1]


@pytest.mark.parametrize(("company", "permits", "reason"), [
    ("now", PERMITS, None), ("over", PERMITS, Reason.PERMIT), ("tomorrow", PERMITS, Reason.PERMIT),
    ("suspended", PERMITS, Reason.PERMIT), ("for-ever", PERMITS, None), ("unnamed", PERMITS, None),
    ("unnamed", REQUIRED, Reason.PERMIT), ("now", REQUIRED, None), ("", REQUIRED, None), ("suspended", None, None),
])
def test_a_permit_decides(company: str, permits: bytes | None, reason: Reason | None) -> None:
    assert judged(company, permits) is reason


def test_its_last_day_ends_at_the_sites_midnight() -> None:
    assert judged("now", now=replace(NOON, utc=datetime.fromisoformat("2021-09-30T16:59:59+00:00"))) is None
    assert judged("now", now=replace(NOON, utc=datetime.fromisoformat("2021-09-30T17:00:00+00:00"))) is Reason.PERMIT


def test_a_wrong_clock_ends_no_permit_but_a_suspension_stands() -> None:
    untrusted = replace(NOON, trusted=False)
    assert judged("over", now=untrusted) is None
    assert judged("suspended", now=untrusted) is Reason.PERMIT


def test_whoever_leaves_needs_no_permit() -> None:
    assert judged("suspended", direction=Direction.EXIT) is None


def test_who_belongs_to_no_business_needs_none() -> None:
    signed = Credential("gp1", Proof.SIGNED, "an", Claims("a", "an", "k", areas=frozenset({"hall"})), None)
    assert judged("suspended", REQUIRED, credential=signed) is None


@pytest.mark.parametrize(("document", "fault"), [
    (b"[]", "permits.json"), (b'{"schema": "gate.permits/2"}', "gate.permits/1"),
    (b'{"schema": "gate.permits/1", "businesses": {"a": {"suspend": true}}}', "suspend"),
    (b'{"schema": "gate.permits/1", "businesses": {"a": {"from": "2021-09-02", "to": "2021-09-01"}}}',
     "before it begins"),
    (b" " * 4_000_001, "at most 4000000"),
])
def test_permits_out_of_form_are_refused_with_the_fault(document: bytes, fault: str) -> None:
    with pytest.raises(DocumentError, match=fault):
        permits_from_json(document)


def test_permits_are_written_as_they_are_read() -> None:
    permits = permits_from_json(REQUIRED)
    assert permits_from_json(permits_to_json(permits)) == permits
