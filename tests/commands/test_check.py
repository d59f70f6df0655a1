"""`gate check`, the examples that ship, and the schema and key table that are made from the types."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gate import drivers
from gate.cli import main
from gate.commands import check
from gate.config.reading import DRIVERS, load
from gate.config.schema import key_table, schema

REPO = Path(__file__).resolve().parents[2]
EXAMPLES = ("gate.example.yaml", "gate.door.example.yaml", "simulation.yaml")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_valid_and_gives_no_warning(name, capsys):
    assert main(["check", "--elsewhere", "--config", str(REPO / "config" / name)]) == check.VALID
    assert capsys.readouterr().out.startswith("HỢP LỆ / VALID")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_points_editors_to_the_schema(name):
    first = (REPO / "config" / name).read_text(encoding="utf-8").splitlines()[0]
    assert (REPO / "config" / first.rpartition("=")[2]).name == "gate.schema.json"


def test_examples_for_a_pi_show_every_driver():
    configs = [load(REPO / "config" / name, files=False) for name in ("gate.example.yaml", "gate.door.example.yaml")]
    assert {reader.driver for config in configs for reader in config.readers} == set(drivers.READERS)
    assert {each.driver for config in configs for each in config.indicators} == set(drivers.INDICATORS)


def test_faulty_config_is_printed_with_its_lines_and_exits_2(tmp_path, capsys):
    file = tmp_path / "gate.yaml"
    file.write_text("gate: {id: Gate}\nsite:\n  kind: shopp\n")
    assert main(["check", "--config", str(file)]) == check.NOT_VALID
    out = capsys.readouterr().out
    assert f"lỗi / error: {file}:3:9: site.kind: 'shopp' is not possible here; did you mean `shop`?" in out
    assert "KHÔNG HỢP LỆ / NOT VALID" in out


def test_warnings_alone_exit_0_and_stand_apart_from_errors(tmp_path, capsys):
    text = (REPO / "config" / "gate.example.yaml").read_text(encoding="utf-8")
    file = tmp_path / "gate.yaml"
    file.write_text(text.replace("ack: recorder", "ack: broker"), encoding="utf-8")
    assert main(["check", "--elsewhere", "--json", "--config", str(file)]) == check.VALID
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["valid"]) == ("gate.check/1", True)
    assert [(found["level"], found["key"]) for found in answer["findings"]] == [("warning", "mqtt.ack")]


def test_missing_file_exits_2_with_one_sentence(tmp_path, capsys):
    assert main(["check", "--config", str(tmp_path / "none.yaml")]) == check.NOT_VALID
    assert "name a config with --config FILE" in capsys.readouterr().err


def test_exported_schema_is_current(capsys):
    assert main(["check", "--schema"]) == check.VALID
    assert (REPO / "config" / "gate.schema.json").read_text(encoding="utf-8") == capsys.readouterr().out, (
        "run: python -m gate check --schema > config/gate.schema.json")


def test_documented_keys_are_current():
    documented = (REPO / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert key_table() in documented, (
        "replace what follows the mark in docs/configuration.md with: python -m gate check --keys")


def test_schema_offers_each_drivers_own_keys_and_nothing_else():
    barriers = {shape["title"]: shape for shape in schema()["properties"]["barrier"]["oneOf"]}
    assert set(barriers) == set(drivers.BARRIERS)
    assert {"driver", "entry_pin", "max_on_s"} <= set(barriers["relay"]["properties"])
    assert barriers["relay"]["additionalProperties"] is False


def test_schema_refers_to_nothing_that_it_does_not_define():
    text = json.dumps(schema())
    assert set(re.findall(r'"#/\$defs/([^"]+)"', text)) <= set(schema()["$defs"])


def test_no_driver_names_a_setting_as_the_device_itself_is_described():
    for table in DRIVERS.values():
        for driver in table:
            settings = drivers.resolve(table, driver).Settings
            assert not {"name", "direction", "driver", "settings"} & set(settings.__struct_fields__), driver
