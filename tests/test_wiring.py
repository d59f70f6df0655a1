"""The wiring that is drawn is the config's own, and its lines for the firmware keep every output at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from gate.cli import main
from gate.config.reading import load
from gate.wiring import GROUND, HEADER, POWER, firmware_lines, svg, table, wires

EXAMPLE = Path(__file__).resolve().parents[1] / "config" / "gate.example.yaml"


def config_with(folder: Path, **barrier: Any) -> Path:
    """The example's config with these settings of its barrier."""
    config = YAML(typ="safe").load(EXAMPLE)
    config["barrier"] |= barrier
    file = folder / "gate.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(config, stream)
    return file


def test_every_pin_of_the_config_is_drawn_where_the_header_has_it() -> None:
    settings = load(EXAMPLE, files=False)
    told = {wire.bcm: (wire.place, wire.device, wire.use) for wire in wires(settings)}
    assert told[17] == (11, "barrier", "entry")
    assert told[16] == (36, "emergency", "signal")
    assert set(told) == {17, 27, 22, 23, 24, 25, 20, 21, 16}
    picture = "".join(ElementTree.fromstring(svg(settings)).itertext())
    for number in told:
        assert f"GPIO{number}  " in picture
        assert any(f"GPIO{number} " in line for line in table(settings))
    assert "scanner-in" in picture


def test_the_picture_of_the_example_is_current() -> None:
    drawn = (EXAMPLE.parents[1] / "docs" / "wiring-example.svg").read_text(encoding="utf-8")
    assert drawn == svg(load(EXAMPLE, files=False)), "run: make schema"


@pytest.mark.parametrize(("lock", "active_high", "locked"), [
    ("fail_secure", True, "dl"), ("fail_secure", False, "dh"), ("fail_safe", True, "dh"), ("fail_safe", False, "dl"),
])
def test_firmware_locks_every_kind_of_lock_before_anything_runs(
    tmp_path: Path, lock: str, active_high: bool, locked: str,
) -> None:
    settings = load(config_with(tmp_path, lock=lock, active_high=active_high), files=False)
    lines = firmware_lines(wire for wire in wires(settings) if wire.device == "barrier")
    assert lines == [f"gpio=17,27=op,{locked}"]


def test_every_line_of_a_matrix_keypad_is_drawn(tmp_path: Path) -> None:
    config = YAML(typ="safe").load(EXAMPLE)
    config["readers"] = [{"name": "keypad-in", "direction": "entry", "driver": "matrix_keypad",
                          "row_pins": [5, 6, 12, 13], "column_pins": [19, 26, 4]}]
    file = tmp_path / "gate.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(config, stream)
    told = {wire.bcm: wire.use for wire in wires(load(file, files=False))}
    assert (told[5], told[13], told[4]) == ("row 1", "row 4", "column 3")


def test_lines_for_the_firmware_are_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wiring", "--config", str(EXAMPLE), "--firmware"]) == 0
    comment, *lines = capsys.readouterr().out.splitlines()
    assert comment.startswith("#")
    assert lines == ["gpio=22,23,24,25=op,dl", "gpio=17,27=op,dh", "gpio=16,20,21=ip,pu"]


def test_header_has_forty_places_and_no_line_on_power_or_ground() -> None:
    assert len(set(HEADER.values())) == len(HEADER) == 28
    assert set(HEADER.values()) | set(POWER) | GROUND == set(range(1, 41))
