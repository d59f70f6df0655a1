"""A number pad of bare switches in rows and columns, on pins.

One row at a time is pulled low; a column that follows it has its key pressed. Put 1 kOhm into each row: two keys in one
column would else join two outputs.
"""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gate import config
from gate.drivers.edge_pipe import EdgePipe
from gate.drivers.keypad import DIGITS_MAX, NumberPad
from gate.drivers.pins import BcmPin, pin_faults
from gate.model import Direction

if TYPE_CHECKING:
    from gpiozero import Factory

SCAN_S = 0.01
"""How often all keys are looked at; a key counts when two looks agree, which outlasts its bouncing."""
ROWS = ("123A", "456B", "789C", "*0#D")
"""What stands on the keys; a pad of three columns has no letters."""


class MatrixKeypadSettings(config.Section, frozen=True, kw_only=True):
    """Which pins, top to bottom and left to right."""

    row_pins: Annotated[tuple[BcmPin, ...], Meta(min_length=4, max_length=4)]
    column_pins: Annotated[tuple[BcmPin, ...], Meta(min_length=3, max_length=4)]
    digits_max: Annotated[int, Meta(ge=1, le=DIGITS_MAX)] = 16
    idle_s: Annotated[float, Meta(gt=0, le=60)] = 8.0
    """Digits left untouched for this long are forgotten: the next person starts afresh."""


class Debounce:
    """Which key has just been pressed, from what is down at each look. Pure.

    A key counts once it is down alone in two looks in a row, and again only after a look at which nothing was down:
    three keys of a rectangle look like four.
    """

    def __init__(self) -> None:
        self._last = ""
        self._taken = False

    def look(self, down: str) -> str:
        """The key that was pressed, or nothing; `down` holds every key that is down."""
        before, self._last = self._last, down
        if not down:
            self._taken = False
        elif len(down) == 1 and down == before and not self._taken:
            self._taken = True
            return down
        return ""


class MatrixKeys(EdgePipe):
    """Looks at the keys on a thread of its own, and sends the character of each that is pressed.

    Raises:
        DeviceError: a pin cannot be had.
    """

    def __init__(self, name: str, settings: MatrixKeypadSettings, pins: Factory) -> None:
        super().__init__()
        self._stopping = Event()
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        try:
            self._claim(f"reader {name}", settings, pins)
        except OSError:
            super().close()
            raise
        self._looker = Thread(target=self._look, name=f"keys {name}", daemon=True)
        self._looker.start()

    def close(self) -> None:
        self._stopping.set()
        self._looker.join()
        super().close()

    def _claim(self, role: str, settings: MatrixKeypadSettings, pins: Factory) -> None:
        from gpiozero import DigitalOutputDevice, InputDevice  # noqa: PLC0415  (see gate.drivers.pins.open_output)

        with ExitStack() as undo:
            for pin in settings.row_pins:
                with pin_faults(role, pin):
                    row = DigitalOutputDevice(pin, active_high=False, initial_value=False, pin_factory=pins)
                    self._rows.append(undo.enter_context(row))
            for pin in settings.column_pins:
                with pin_faults(role, pin):
                    self._columns.append(undo.enter_context(InputDevice(pin, pull_up=True, pin_factory=pins)))
            self.undo = undo.pop_all()

    def _look(self) -> None:
        debounce = Debounce()
        while not self._stopping.wait(SCAN_S):
            try:
                down = self._down()
            except Exception:  # a pin library raises what it likes; the reader opens the pins again
                self.end()
                return
            if key := debounce.look(down):
                self.send(key.encode())

    def _down(self) -> str:
        down = []
        for row, keys in zip(self._rows, ROWS, strict=True):
            row.on()
            down += [key for column, key in zip(self._columns, keys, strict=False) if column.is_active]
            row.off()
        return "".join(down)


class MatrixKeypad(NumberPad):
    """A pad of bare switches."""

    Settings = MatrixKeypadSettings

    def __init__(self, name: str, direction: Direction, settings: MatrixKeypadSettings, pins: Factory) -> None:
        super().__init__(name, direction, settings.digits_max, settings.idle_s)
        self._settings, self._pins = settings, pins

    def open(self) -> MatrixKeys:
        return MatrixKeys(self.name, self._settings, self._pins)
