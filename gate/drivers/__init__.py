"""The table of drivers: a name in the config -> `module:Class`, imported only when it is configured.

Each driver class has a class attribute `Settings` (a `gate.config.Section`), and is made as
`Class(name, direction, settings)` (readers; those of PIN_READERS take `pins` too), `Class(settings, pins)` (barriers
and indicators) or `Class(name, settings, pins)` (contacts), where `pins` is the factory of `gate.drivers.pins`.
Adding one: one file and one line here; `docs/writing-a-driver.md` walks through it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

READERS = {
    "serial": "gate.drivers.serial_scanner:SerialScanner",
    "keyboard_scanner": "gate.drivers.keyboard_scanner:KeyboardScanner",
    "camera": "gate.drivers.camera:CameraReader",
    "keypad": "gate.drivers.keypad:Keypad",
    "matrix_keypad": "gate.drivers.matrix_keypad:MatrixKeypad",
    "osdp": "gate.drivers.osdp:OsdpReader",
    "wiegand": "gate.drivers.wiegand:WiegandReader",
}
PIN_READERS = frozenset({"matrix_keypad", "wiegand"})
"""Readers on pins of the header, which are made with `pins` as well."""
BARRIERS = {
    "relay": "gate.drivers.relay:RelayBarrier",
    "none": "gate.drivers.fake:NoBarrier",
}
INDICATORS = {
    "lamps": "gate.drivers.lamps:Lamps",
    "buzzer": "gate.drivers.buzzer:BuzzerIndicator",
    "screen": "gate.drivers.screen:ScreenIndicator",
}
CONTACTS = {
    "gpio": "gate.drivers.gpio_contact:GpioContact",
}


def resolve(table: dict[str, str], name: str) -> Any:
    """The driver class that `table` lists under `name`."""
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
