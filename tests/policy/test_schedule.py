from datetime import datetime

import pytest

from gate.errors import DocumentError
from gate.policy.schedule import SCHEDULES_MAX_BYTES, schedules_from_json

DOCUMENT = b"""{"schema": "gate.schedules/1", "holidays": ["2026-09-02"], "schedules": {
    "ca-ngay": {"mon": [["06:00", "18:30"]], "wed": [["06:00", "11:00"], ["13:00", "17:00"]], "holiday": []},
    "ca-dem": {"sun": [["22:00", "06:00"]], "holiday": [["22:00", "06:00"]]},
    "bao-ve": {"mon": [["00:00", "24:00"]]}, "ca-24": {"tue": [["06:00", "06:00"]]}}}"""


@pytest.mark.parametrize(("name", "moment", "is_open"), [
    ("ca-ngay", "2026-11-23T05:59:59", False),
    ("ca-ngay", "2026-11-23T06:00:00", True),
    ("ca-ngay", "2026-11-23T18:29:59", True),
    ("ca-ngay", "2026-11-23T18:30:00", False),
    ("ca-ngay", "2026-11-25T12:00:00", False),
    ("ca-ngay", "2026-11-25T13:00:00", True),
    ("ca-ngay", "2026-11-24T12:00:00", False),
    ("ca-ngay", "2026-09-02T07:00:00", False),
    ("ca-dem", "2026-11-22T22:00:00", True),
    ("ca-dem", "2026-11-23T05:59:59", True),
    ("ca-dem", "2026-11-23T06:00:00", False),
    ("ca-dem", "2026-11-23T22:30:00", False),
    ("ca-dem", "2026-09-03T01:00:00", True),
    ("bao-ve", "2026-11-23T00:00:00", True),
    ("bao-ve", "2026-11-23T23:59:59", True),
    ("bao-ve", "2026-11-24T00:00:00", False),
    ("ca-24", "2026-11-24T05:59:59", False),
    ("ca-24", "2026-11-24T06:00:00", True),
    ("ca-24", "2026-11-25T05:59:59", True),
    ("ca-24", "2026-11-25T06:00:00", False),
    ("nobody", "2026-11-23T12:00:00", False),
])
def test_hours(name: str, moment: str, is_open: bool) -> None:
    assert schedules_from_json(DOCUMENT).is_open(name, datetime.fromisoformat(moment)) is is_open


@pytest.mark.parametrize(("document", "says"), [
    (b"{}", "schema"),
    (b'{"schema": "gate.schedules/2", "schedules": {}}', "gate.schedules/1"),
    (b'{"schema": "gate.schedules/1", "schedules": {"a": {"montag": []}}}', "montag"),
    (b'{"schema": "gate.schedules/1", "schedules": {"a": {"mon": [["6 am", "18:00"]]}}}', "HH:MM"),
    (b'{"schema": "gate.schedules/1", "schedules": {"a": {"mon": [["06:00+07:00", "18:00"]]}}}', "time zone"),
    (b'{"schema": "gate.schedules/1", "schedules": {}, "holiday": []}', "holiday"),
    (b'{"schema": "gate.schedules/1", "schedules": {}, "holidays": ["2026-02-30"]}', "date"),
    (b" " * (SCHEDULES_MAX_BYTES + 1), "at most"),
    (b"[" * 100_000, "schedules.json"),
])
def test_a_bad_document_is_refused_with_its_fault(document: bytes, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        schedules_from_json(document)
