"""What every driver owes the core: run over all that are registered, and over docs/writing-a-driver.md's."""

from __future__ import annotations

import re
import sys
import threading
import types
from pathlib import Path

import msgspec
import pytest

from gate import config, drivers
from gate.errors import DeviceError
from gate.model import PAYLOAD_MAX_BYTES, Direction, ReaderState, Scan, Signal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "writing-a-driver.md"
DRIVER_ON_PAGE, TEST_ON_PAGE = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text("utf-8"))

badge = types.ModuleType("gate.drivers.badge")
sys.modules[badge.__name__] = badge
exec(compile(DRIVER_ON_PAGE, str(PAGE), "exec"), badge.__dict__)
exec(compile(TEST_ON_PAGE, str(PAGE), "exec"), badge.__dict__)
test_badge_on_the_page = badge.test_badge_is_read_and_a_damaged_frame_is_dropped

READERS = drivers.READERS | {"badge": "gate.drivers.badge:BadgeReader"}
BARRIERS, INDICATORS, CONTACTS = drivers.BARRIERS, drivers.INDICATORS, drivers.CONTACTS
EVERYTHING = READERS | BARRIERS | INDICATORS | CONTACTS

SETTINGS = {
    "serial": {"port": "LINE"},
    "keypad": {"source": "line:LINE"},
    "keyboard_scanner": {"port": "LINE"},
    "matrix_keypad": {"row_pins": [5, 6, 12, 13], "column_pins": [16, 18, 19]},
    "osdp": {"port": "LINE", "key_file": "LINE"},
    "wiegand": {"d0_pin": 5, "d1_pin": 6},
    "camera": {"socket": "LINE"},
    "badge": {"port": "LINE"},
    "relay": {"entry_pin": 17, "exit_pin": 27, "active_high": False, "max_on_s": 0.02},
    "none": {},
    "lamps": {"green_pin": 22, "red_pin": 23, "amber_pin": 24, "active_high": False},
    "buzzer": {"pin": 25, "active_high": False},
    "screen": {"display": "dummy"},
    "gpio": {"pin": 20},
}
"""Each driver's settings as a config gives them; LINE stands for a device that the test plugs in, or not."""

ON_A_LINE = {
    "serial": (b"x" * (PAYLOAD_MAX_BYTES + 1) + b"\r", b"123\r", b"123"),
    "keypad": (b"1" * (PAYLOAD_MAX_BYTES + 1) + b"#", b"123#", b"123"),
    "badge": (b"\x02" + b"0" * (PAYLOAD_MAX_BYTES + 1) + b"\x03", b"\x020C004F1A2B72\x03", b"0C004F1A2B"),
}
"""Readers of a serial line: too long a code as the device would send it, a good one, and what that one says."""


def settings_of(table: dict[str, str], name: str, line: Path, **more: object) -> tuple[type, config.Section]:
    driver = drivers.resolve(table, name)
    words = {key: value.replace("LINE", str(line)) if isinstance(value, str) else value
             for key, value in SETTINGS[name].items()}
    return driver, msgspec.convert(words | more, driver.Settings, dec_hook=lambda kind, value: kind(value))


def no_pin(name: str) -> None:
    raise OSError("the chip has gone")


@pytest.fixture
def reader(request, pty, pins, monkeypatch):
    driver, settings = settings_of(READERS, request.param, pty.path)
    on_pins = request.param in drivers.PIN_READERS
    if on_pins:
        monkeypatch.setattr(pins, "pin", no_pin)  # a reader on pins is absent where they are
    made = driver("lane", Direction.EXIT, settings, *((pins,) if on_pins else ()))
    yield made
    made.stop()


@pytest.fixture
def output(request, pins, tmp_path):
    driver, settings = settings_of(BARRIERS | INDICATORS, request.param, tmp_path)
    made = driver(settings, pins)
    yield made
    made.stop()


@pytest.fixture
def contact(request, pins, tmp_path):
    driver, settings = settings_of(CONTACTS, request.param, tmp_path)
    made = driver("passage", settings, pins)
    yield made
    made.stop()


every_reader = pytest.mark.parametrize("reader", READERS, indirect=True)
every_output = pytest.mark.parametrize("output", BARRIERS | INDICATORS, indirect=True)
every_barrier = pytest.mark.parametrize("output", BARRIERS, indirect=True)
every_indicator = pytest.mark.parametrize("output", INDICATORS, indirect=True)
every_contact = pytest.mark.parametrize("contact", CONTACTS, indirect=True)


def test_every_registered_driver_stands_in_this_suite():
    assert set(SETTINGS) == set(EVERYTHING)


@pytest.mark.parametrize("name", EVERYTHING)
def test_settings_are_a_section_that_refuses_unknown_keys(name, tmp_path):
    _, settings = settings_of(EVERYTHING, name, tmp_path)
    assert isinstance(settings, config.Section)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        settings_of(EVERYTHING, name, tmp_path, colour="red")


@pytest.mark.parametrize("name", EVERYTHING)
def test_driver_can_be_made_where_its_hardware_is_not(name, pins, tmp_path):
    threads = threading.active_count()
    driver, settings = settings_of(EVERYTHING, name, tmp_path / "absent")
    if name in READERS:
        driver("lane", Direction.ENTRY, settings, *((pins,) if name in drivers.PIN_READERS else ()))
    elif name in CONTACTS:
        driver("passage", settings, pins)
    else:
        driver(settings, pins)
    assert not pins.pins
    assert threading.active_count() == threads


@every_reader
def test_reader_starts_and_stops_as_often_as_it_is_told(reader, heard):
    reader.stop()
    for _ in range(2):
        reader.start(heard)
        reader.start(heard)
        assert heard.next().present is False
        reader.stop()
        reader.stop()
    assert heard.nothing()


@every_reader
def test_reader_shows_that_it_runs_while_its_device_is_absent(reader, heard, eventually):
    reader.start(heard)
    started_mono = reader.alive_mono()
    said = heard.next()
    assert isinstance(said, ReaderState)
    assert said.reader == "lane"
    assert said.detail, "it says what to do"
    eventually(lambda: reader.alive_mono() > started_mono)


@pytest.mark.parametrize(("reader", "lines"), ON_A_LINE.items(), indirect=["reader"])
def test_payload_that_is_too_long_is_dropped_and_counted(reader, lines, pty, heard):
    overlong, good, payload = lines
    reader.start(heard)
    heard.next()
    pty.plug()
    assert heard.next() == ReaderState("lane", True)
    pty.send(overlong + good)
    scan = heard.next()
    assert isinstance(scan, Scan)
    assert (scan.reader, scan.direction, scan.payload) == ("lane", Direction.EXIT, payload)
    assert reader.dropped == 1


@every_output
def test_output_starts_and_stops_as_often_as_it_is_told(output):
    output.stop()
    for _ in range(2):
        output.start()
        output.start()
        output.stop()
        output.stop()


@every_output
def test_stopped_output_is_off(output, pins):
    output.start()
    if hasattr(output, "hold"):
        output.hold(50.0)
    else:
        output.show(Signal.ALARM)
    output.stop()
    assert not any(pin.state is False for pin in pins.pins.values()), "these boards are active low"


@every_output
def test_stop_never_raises_even_when_no_pin_moves(output, pins):
    output.start()
    for pin in pins.pins.values():
        pin.broken = True
    output.stop()


@every_barrier
def test_barrier_is_secured_before_start_and_by_secure_and_stop(output):
    assert not output.released()
    output.start()
    output.hold(50.0)
    output.secure()
    assert not output.released()
    output.release(Direction.ENTRY, 50.0)
    output.stop()
    assert not output.released()


@every_barrier
def test_release_ends_by_the_cut_off_whatever_was_asked(output, eventually):
    output.start()
    output.release(Direction.EXIT, 50.0)
    eventually(lambda: not output.released())


@every_indicator
def test_indicator_takes_every_signal_and_goes_on_after_a_fault(output, pins):
    output.start()
    for signal in Signal:
        output.show(signal)
    for pin in pins.pins.values():
        pin.broken = False
    for signal in list(Signal) * 3:
        try:
            output.show(signal)
        except DeviceError as error:
            assert "BCM" in str(error)


@every_contact
def test_contact_says_its_level_each_time_it_starts(contact, heard):
    contact.stop()
    for _ in range(2):
        contact.start(heard)
        contact.start(heard)
        assert heard.next().name == "passage"
        contact.stop()
        contact.stop()
    assert heard.nothing()
