from __future__ import annotations

import os
import sys
import types
from importlib import import_module
from pathlib import Path

import pytest

from gate import config
from gate.drivers.pins import open_factory
from gate.drivers.relay import RelayBarrier, RelaySettings
from gate.errors import DeviceError
from gate.model import Direction


class Chip(types.ModuleType):
    """A gpiochip behind lgpio's calls, for machines that have none: it keeps each level a line was driven to."""

    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2
    OUTPUT = 1 << 1

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.error = type("error", (Exception,), {})
        self.driven: dict[int, list[bool]] = {}
        self.held: set[int] = set()
        self._modes: dict[int, int] = {}

    def gpiochip_open(self, chip: int) -> int:
        return chip

    def gpio_claim_input(self, _handle: int, line: int, _flags: int = 0) -> None:
        self._claim(line)
        self._modes[line] = 0

    def gpio_claim_output(self, _handle: int, line: int, level: int = 0) -> None:
        self._claim(line)
        self._modes[line] = self.OUTPUT
        self.driven.setdefault(line, []).append(bool(level))

    def gpio_write(self, _handle: int, line: int, level: int) -> None:
        self.driven[line].append(bool(level))

    def gpio_get_mode(self, _handle: int, line: int) -> int:
        return self._modes[line]

    def _claim(self, line: int) -> None:
        if line in self.held:
            raise self.error("'GPIO busy'")


@pytest.fixture
def chip(monkeypatch):
    chip = Chip()
    monkeypatch.setitem(sys.modules, "lgpio", chip)
    sys.modules.pop("gpiozero.pins.lgpio", None)
    library = import_module("gpiozero.pins.lgpio")
    library.LGPIOFactory._get_revision = lambda self: 0xC04170  # a Pi 5
    yield chip
    library.LGPIOFactory.pins.clear()
    del sys.modules["gpiozero.pins.lgpio"]


def relay(**settings) -> RelayBarrier:
    return RelayBarrier(RelaySettings(entry_pin=17, **settings), open_factory(config.Pins(factory="lgpio")))


def test_active_low_relay_never_gets_a_low_level_but_while_released(chip):
    barrier = relay(active_high=False)
    barrier.start()
    barrier.stop()
    barrier.start()
    barrier.release(Direction.ENTRY, 50.0)
    barrier.stop()
    levels = chip.driven[17]
    assert levels.count(False) == 1
    assert levels[0] is levels[-1] is True


def test_stopped_output_keeps_driving_its_safe_level(chip):
    barrier = relay()
    barrier.start()
    barrier.stop()
    assert chip.gpio_get_mode(0, 17) == chip.OUTPUT
    assert chip.driven[17][-1] is False


def test_line_that_another_process_holds_is_refused_with_the_fix(chip):
    chip.held.add(17)
    barrier = relay()
    with pytest.raises(DeviceError, match=r"BCM 17: GPIO busy; another process .* \(systemctl stop gate\)"):
        barrier.start()


def test_opening_lgpio_leaves_the_process_in_its_folder(tmp_path, monkeypatch):
    pytest.importorskip("lgpio", reason="lgpio is installed on a Pi only")
    monkeypatch.delitem(sys.modules, "lgpio")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeviceError):
        open_factory(config.Pins(factory="lgpio", chip=15))
    assert Path.cwd() == tmp_path
    assert "LG_WD" not in os.environ


@pytest.mark.parametrize("factory", ["lgpio", "rpigpio"])
def test_factory_that_cannot_be_loaded_is_refused_and_never_replaced(factory):
    with pytest.raises(DeviceError, match=f"pins.factory {factory}: .*(apt install|set pins.factory to mock)"):
        open_factory(config.Pins(factory=factory, chip=15))
