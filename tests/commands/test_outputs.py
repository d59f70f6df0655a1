from __future__ import annotations

import json
from pathlib import Path

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory

from gate.cli import main
from gate.commands import outputs
from gate.drivers import pins

CONFIG = """
site: {id: demo, token_key_file: token.key}
gate: {id: gate-1}
state_dir: state
documents: {root_file: root.json}
pins: {factory: mock}
barrier: {driver: relay, entry_pin: 17, exit_pin: 27, active_high: false}
readers:
  - {name: scanner-in, direction: entry, driver: serial, port: /dev/ttyUSB0}
indicators:
  - {driver: lamps, green_pin: 22, red_pin: 23, active_high: false}
  - {driver: buzzer, pin: 25, active_high: false}
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "gate.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def factory(monkeypatch) -> MockFactory:
    """The mock pins that the command moves, for the test to look at."""
    factory = MockFactory()
    monkeypatch.setattr(pins, "open_factory", lambda _: factory)
    return factory


def test_safe_leaves_every_active_low_output_high(file, factory, capsys):
    assert main(["outputs", "safe", "--config", str(file)]) == outputs.DONE
    assert {pin.info.name: pin.state for pin in factory.pins.values()} == {
        "GPIO17": True, "GPIO27": True, "GPIO22": True, "GPIO23": True, "GPIO25": True
    }
    assert capsys.readouterr().out.count("an toàn / safe") == 3


def test_safe_answers_in_json_with_the_time_it_took(file, capsys):
    assert main(["outputs", "safe", "--json", "--config", str(file)]) == outputs.DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["safe"], len(answer["outputs"])) == ("gate.outputs/1", True, 3)
    assert answer["ms"] > 0


def test_fault_elsewhere_in_the_config_does_not_keep_the_barrier_open(file, factory):
    file.write_text(CONFIG.replace("driver: serial", "driver: sreial").replace("id: gate-1", "id: Gate 1"))
    assert main(["outputs", "safe", "--config", str(file)]) == outputs.DONE
    assert len(factory.pins) == 5


def test_fault_in_the_outputs_themselves_is_a_config_error(file, capsys):
    file.write_text(CONFIG.replace("entry_pin: 17", "entry_pin: 170"))
    assert main(["outputs", "safe", "--config", str(file)]) == 2
    assert "barrier.entry_pin" in capsys.readouterr().err


def test_output_that_fails_is_named_and_the_others_are_still_made_safe(file, factory, capsys):
    with OutputDevice(22, pin_factory=factory):
        assert main(["outputs", "safe", "--json", "--config", str(file)]) == outputs.CANNOT
    answer = json.loads(capsys.readouterr().out)
    assert [row["safe"] for row in answer["outputs"]] == [True, False, True]
    assert "stop the daemon first" in answer["outputs"][1]["detail"]


def test_pins_that_cannot_be_had_exit_3_with_the_fix(file, capsys):
    file.write_text(CONFIG.replace("factory: mock", "factory: lgpio, chip: 15"))
    assert main(["outputs", "safe", "--config", str(file)]) == outputs.CANNOT
    assert "pins.factory lgpio" in capsys.readouterr().err


def test_test_moves_each_output_and_says_what_should_be_noticed(file, factory, capsys):
    assert main(["outputs", "test", "--pause", "0", "--config", str(file)]) == outputs.DONE
    out = capsys.readouterr().out
    assert "mở chiều vào trong 0.6 giây / entry unlocks for 0.6 s" in out
    assert "denied: đỏ nháy nhanh / red, blinking fast" in out
    assert "denied: ba tiếng bíp ngắn / three short beeps" in out
    assert [state.state for state in factory.pin("GPIO17").states][1:] == [True, False, True]
