from __future__ import annotations

import pytest
from gpiozero import OutputDevice

from gate.drivers.gpio_contact import GpioContact, GpioContactSettings
from gate.errors import DeviceError
from gate.model import Contact

PIN = 20


@pytest.fixture
def contact_of(pins):
    started = []

    def make(heard, **settings) -> GpioContact:
        contact = GpioContact("passage", GpioContactSettings(pin=PIN, **settings), pins)
        contact.start(heard)
        started.append(contact)
        return contact

    yield make
    for contact in started:
        contact.stop()


@pytest.mark.parametrize("pull", ["up", "down", "none"])
@pytest.mark.parametrize("active", ["low", "high"])
def test_each_edge_is_told_whatever_the_bias(contact_of, pins, heard, pull, active):
    contact_of(heard, pull=pull, active=active)
    pin = pins.pin(f"GPIO{PIN}")
    first = pin.state
    assert heard.next() == Contact("passage", first is (active == "high"))
    (pin.drive_low if first else pin.drive_high)()
    assert heard.next() == Contact("passage", first is not (active == "high"))
    (pin.drive_high if first else pin.drive_low)()
    assert heard.next() == Contact("passage", first is (active == "high"))
    assert heard.nothing()


def test_cut_wire_of_a_loop_against_the_pull_reads_as_active(contact_of, pins, heard):
    pins.pin(f"GPIO{PIN}").drive_low()
    contact_of(heard, pull="up", active="high")
    assert heard.next() == Contact("passage", True)


def test_debouncing_is_asked_of_the_pin_library(contact_of, pins, heard):
    contact_of(heard, debounce_ms=35)
    assert pins.pin(f"GPIO{PIN}").bounce == pytest.approx(0.035)


def test_stopped_contact_says_nothing_and_starts_again(contact_of, pins, heard):
    contact = contact_of(heard)
    heard.next()
    contact.stop()
    pins.pin(f"GPIO{PIN}").drive_low()
    assert heard.nothing()
    contact.start(heard)
    assert isinstance(heard.next(), Contact)


def test_line_in_use_is_refused_with_the_fix(pins, heard):
    with OutputDevice(PIN, pin_factory=pins), pytest.raises(DeviceError, match="contact passage on BCM 20"):
        GpioContact("passage", GpioContactSettings(pin=PIN), pins).start(heard)
