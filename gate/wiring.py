"""Which wire goes where, drawn from a gate's own config: the header's pins, the firmware's lines, a table, a picture.

A pin is any setting of a driver called `pin`, `*_pin` or `*_pins`, so a new driver is drawn as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from gate.config import Config
from gate.config.rules import device_paths, pins_of

HEADER = {
    2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21, 25: 22, 11: 23,
    8: 24, 7: 26, 0: 27, 1: 28, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37, 20: 38, 21: 40,
}
"""BCM number -> place on the 40-pin header (Raspberry Pi hardware documentation, GPIO)."""
POWER = {1: "3V3", 2: "5V", 4: "5V", 17: "3V3"}
GROUND = frozenset({6, 9, 14, 20, 25, 30, 34, 39})
EMERGENCY = "Lối thoát hiểm đi dây riêng, không qua Pi · the emergency way out is hard-wired, not by the Pi"


class Wire(NamedTuple):
    """One line of the header in use: `rest` is its level (output) or its pull (input) when nothing happens."""

    bcm: int
    device: str
    use: str
    output: bool
    rest: str

    @property
    def place(self) -> int:
        """Its pin on the header."""
        return HEADER[self.bcm]

    @property
    def firmware(self) -> str:
        """How config.txt sets it before anything runs (Raspberry Pi documentation, config.txt, gpio)."""
        if self.output:
            return f"op,d{self.rest[0]}"
        return f"ip,p{self.rest[0]}"


def wires(settings: Config) -> list[Wire]:
    """Every line that the config uses, in the header's order."""
    found = [*_outputs("barrier", settings.barrier.settings)]
    for each in settings.indicators:
        found += _outputs(each.driver, each.settings)
    for contact in settings.contacts:
        found += _inputs(contact.name, contact.settings)
    for reader in settings.readers:
        found += _inputs(reader.name, reader.settings)
    return sorted(found, key=lambda wire: wire.place)


def devices(settings: Config) -> list[tuple[str, str]]:
    """What is plugged in elsewhere: (name, where)."""
    return [(reader.name, f"{reader.driver}: {path}") for reader in settings.readers
            for _, path in device_paths(reader.settings)]


def firmware_lines(found: Iterable[Wire]) -> list[str]:
    """Lines for config.txt under which every output is at rest before Linux runs: nothing releases while a Pi boots."""
    groups: dict[str, list[int]] = defaultdict(list)
    for wire in found:
        groups[wire.firmware].append(wire.bcm)
    return [f"gpio={','.join(map(str, sorted(pins)))}={state}" for state, pins in sorted(groups.items(), reverse=True)]


def table(settings: Config) -> list[str]:
    """The wires as lines of text, then what is plugged in elsewhere."""
    rows = [("pin", "BCM", "", "device", "use", "at rest")]
    rows += [(str(wire.place), f"GPIO{wire.bcm}", "-->" if wire.output else "<--", wire.device, wire.use, wire.rest)
             for wire in wires(settings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, *(f"{name}: {where}" for name, where in devices(settings)), EMERGENCY]


def svg(settings: Config) -> str:
    """The header as it is seen with the Pi's USB sockets below, each wire at its pin, as one SVG 1.1 document."""
    used = {wire.place: wire for wire in wires(settings)}
    top, row_height, width = 60, 30, 900
    elsewhere = devices(settings)
    height = top + 20 * row_height + 30 * (len(elsewhere) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(width / 2, 30, f"{settings.site.id} / {settings.gate.id}", "middle", bold=True),
        f'<rect x="410" y="{top - 8}" width="80" height="{20 * row_height}" rx="6" fill="#1f2933"/>',
    ]
    for place in range(1, 41):
        left = place % 2 == 1
        x, y = (432 if left else 468), top + (place - 1) // 2 * row_height + 7
        parts.append(f'<circle cx="{x}" cy="{y}" r="8" fill="{_colour(place, used)}"/>')
        side, anchor = (-1, "end") if left else (1, "start")
        parts.append(_text(450 + side * 48, y + 5, str(place), anchor, colour="#52606d"))
        if wire := used.get(place):
            label = f"GPIO{wire.bcm}  {'→' if wire.output else '←'}  {wire.device}: {wire.use} ({wire.rest})"
            parts.append(f'<path d="M{450 + side * 72} {y} h{side * 28}" stroke-width="3"'
                         f' stroke="{_colour(place, used)}"/>')
            parts.append(_text(450 + side * 106, y + 5, label, anchor))
        elif place in GROUND or place in POWER:
            parts.append(_text(450 + side * 76, y + 5, POWER.get(place, "GND"), anchor, colour="#7b8794"))
    y = top + 20 * row_height + 20
    for name, where in elsewhere:
        parts.append(_text(40, y, f"{name} — {where}"))
        y += 30
    parts.append(_text(40, y, EMERGENCY, bold=True, colour="#b00020"))
    return "\n".join([*parts, "</svg>", ""])


def _outputs(device: str, settings: Any) -> Iterator[Wire]:
    """The lines that a barrier or an indicator drives; a fail-safe lock is energised at rest."""
    on_at_rest = getattr(settings, "lock", "") == "fail_safe"
    rest = "high" if getattr(settings, "active_high", True) == on_at_rest else "low"
    for key, pin in pins_of(settings):
        yield Wire(pin, device, _use(key), True, rest)


def _inputs(device: str, settings: Any) -> Iterator[Wire]:
    """The lines that are read; most are pulled up."""
    for key, pin in pins_of(settings):
        yield Wire(pin, device, _use(key), False, getattr(settings, "pull", "up"))


def _use(key: str) -> str:
    """`entry_pin` is for entry, `row_pins[0]` for row 1, `pin` for the one signal."""
    name, _, at = key.removesuffix("]").partition("[")
    use = name.removesuffix("s").removesuffix("pin").removesuffix("_") or "signal"
    return f"{use} {int(at) + 1}" if at else use


def _colour(place: int, used: dict[int, Wire]) -> str:
    if wire := used.get(place):
        return "#0b6e99" if wire.output else "#2f7d32"
    return "#3e4c59" if place in GROUND else "#c0392b" if place in POWER else "#9aa5b1"


def _text(x: float, y: float, text: str, anchor: str = "start", *, bold: bool = False, colour: str = "#1f2933") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'
