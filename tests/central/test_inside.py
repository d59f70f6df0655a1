"""Who is inside at the centre: from the command, the page and the file, by what gates reported in whatever order."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from test_web import HOSTILE, NOW, add_events, engine, served, words  # noqa: F401

from gate.central.db import reading, writing
from gate.central.db.models import Person
from gate.central.inside import Inside, companies, who_is_inside
from gate.cli import main
from gate.clock import SystemClock
from gate.model import EventKind, Move, Stamp
from gate.presence import data_of

TAKEN = EventKind.ACCESS_TAKEN


def millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def passes(
    engine: Engine, holder: str, place: str, *, minutes_ago: float = 10, gate: str = "gate-1",  # noqa: F811
    company: str = "", now: datetime = NOW, shift: datetime | None = None, received_at: datetime | None = None,
) -> None:
    """Report one passage as a gate's event tells it."""
    at = now - timedelta(minutes=minutes_ago)
    move = Move(holder, place, company, Stamp(millis(at), 0, gate))
    data = {"holder": holder, "direction": "entry" if place else "exit"} | data_of(move, millis(shift) if shift else 0)
    add_events(engine, (TAKEN, data), gate=gate, at=at, received_at=received_at or at)


def inside(engine: Engine) -> list[Inside]:  # noqa: F811
    with reading(engine) as session:
        return who_is_inside(session, NOW)


def test_who_entered_and_has_not_left_is_inside(engine):  # noqa: F811
    passes(engine, "an", "xuong-1", company="cty-a")
    passes(engine, "binh", "kho-a", company="cty-b")
    passes(engine, "binh", "", minutes_ago=5, gate="gate-2")
    passes(engine, "chi", "kho-a", company="cty-a")
    assert [(each.holder, each.place) for each in inside(engine)] == [("chi", "kho-a"), ("an", "xuong-1")]
    assert dict(companies(inside(engine))) == {("demo", "cty-a"): 2}


def test_passage_that_arrives_late_does_not_undo_a_later_one(engine):  # noqa: F811
    passes(engine, "an", "", minutes_ago=5)
    passes(engine, "an", "xuong-1", minutes_ago=60, gate="gate-2", received_at=NOW)
    assert inside(engine) == []


def test_shift_that_its_gate_has_ended_is_over_here_too(engine):  # noqa: F811
    passes(engine, "an", "xuong-1", minutes_ago=120)
    passes(engine, "binh", "xuong-1", minutes_ago=5, shift=NOW - timedelta(minutes=30))
    passes(engine, "chi", "xuong-1", minutes_ago=120, gate="gate-2")
    assert [each.holder for each in inside(engine)] == ["binh", "chi"]


def test_what_makes_no_sense_is_left_out(engine):  # noqa: F811
    good = {"holder": "an", "place": "x", "stamp": [millis(NOW), 0]}
    for wrong in ({"stamp": ["a", None]}, {"stamp": [2**60, 0]}, {"stamp": [-1, 0]}, {"holder": 7}, {"place": None},
                  {"stamp": [millis(NOW + timedelta(days=400)), 0]}, {"shift": "never"}):
        add_events(engine, (TAKEN, good | wrong))
    add_events(engine, (TAKEN, {}))
    assert inside(engine) == []


def test_page_names_people_by_place_and_counts_companies(engine):  # noqa: F811
    with writing(engine) as session:
        session.add(Person(holder="an", full_name="Nguyễn Văn An", created_at=NOW))
    passes(engine, "an", "xuong-1", company="cty-a")
    passes(engine, "h-2", "xuong-1", minutes_ago=13 * 60)
    with served(engine) as client:
        answer = client.get("/presence")
        seen = words(answer.text)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert words(client.get("/presence?site=khac").text).count("Nobody") == 1
    assert "xuong-1 demo : 2" in seen.replace("demo:", "demo :")
    assert "Nguyễn Văn An cty-a 23/11 06:50" in seen
    assert "h-2" in seen
    assert "▲ lâu long" in seen


def test_hostile_text_is_text_on_the_page_and_no_formula_in_the_file(engine):  # noqa: F811
    passes(engine, HOSTILE, HOSTILE, company="=1+1", gate=HOSTILE)
    with served(engine) as client:
        html, table = client.get("/presence").text, client.get("/presence.csv")
    assert "<script" not in html
    assert "<img" not in html
    assert "attachment" in table.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [len(row) for row in rows] == [7, 7]
    assert rows[1][2] == "'=1+1"


def test_command_lists_and_tells_as_json_and_csv(engine, database_url, capsys):  # noqa: F811
    now = SystemClock().now().utc
    passes(engine, "an", "xuong-1", company="cty-a", now=now)
    assert main(["central", "presence", "--db", database_url]) == 0
    assert "1 người bên trong / people inside" in capsys.readouterr().out
    assert main(["central", "presence", "--db", database_url, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["inside"], said["people"][0]["holder"]) == ("gate.central.presence/1", 1, "an")
    assert said["companies"] == [{"site": "demo", "company": "cty-a", "inside": 1}]
    assert main(["central", "presence", "--db", database_url, "--csv", "--site", "demo"]) == 0
    assert capsys.readouterr().out.startswith("\ufeffsite,place,company,name,holder,gate,since")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd"])
def test_unknown_time_zone_is_a_usage_error(database_url, zone, capsys):
    assert main(["central", "presence", "--db", database_url, "--time-zone", zone]) == 2
    assert "--time-zone" in capsys.readouterr().err
