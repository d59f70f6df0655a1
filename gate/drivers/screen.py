"""A small screen on SPI or I2C, drawn through `luma`: what each signal means, in words, a shape and a colour."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gate import config
from gate.drivers.pattern import IDENTIFY_S, TIMED
from gate.drivers.pins import BcmPin, open_output
from gate.errors import DeviceError
from gate.model import Decision, Signal

if TYPE_CHECKING:
    from gpiozero import Factory

    from gate.drivers.screen_faces import Face

Shown = tuple[Signal, Decision | None]
ON_I2C = frozenset({"ssd1306", "sh1106"})
RETRY_S = 5.0
"""How often a screen that has failed is tried again."""


class ScreenSettings(config.Section, frozen=True, kw_only=True):
    """Which screen, and how it is turned."""

    display: Literal["st7789", "ili9341", "ssd1306", "sh1106", "dummy"]
    """The controller: st7789, ili9341 (colour, SPI), ssd1306, sh1106 (one colour, I2C); dummy draws nowhere."""
    width: Annotated[int, Meta(ge=64, le=480)] = 240
    height: Annotated[int, Meta(ge=48, le=480)] = 240
    turned: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise."""
    bus: Annotated[int, Meta(ge=0, le=9)] = 0
    """SPI: 0 for /dev/spidev0.0. I2C: 1 for /dev/i2c-1."""
    i2c_address: Annotated[int, Meta(ge=0x08, le=0x77)] = 0x3C
    """For a screen on I2C."""
    dc_pin: BcmPin = 25
    """For a screen on SPI: data or command."""
    reset_pin: BcmPin = 27
    """For a screen on SPI."""
    languages: Literal["both", "vi", "en"] = "both"
    """`both`: Vietnamese first; where both do not fit, Vietnamese."""
    result_s: config.Seconds = 3.0
    """How long a result stays before the lane's own picture comes back."""


class ScreenIndicator:
    """Draws each signal on a thread of its own; a screen that fails is told by each `show` until it works again."""

    Settings = ScreenSettings

    def __init__(self, settings: ScreenSettings, pins: Factory) -> None:
        self._settings = settings
        self._pins = pins
        self._languages = ("vi", "en") if settings.languages == "both" else (settings.languages,)
        self._changed = Condition()
        self._drawer: Thread | None = None
        self._undo = ExitStack()
        self._device: Any = None
        self._shown: Shown = (Signal.IDLE, None)
        self._lasting: Shown = (Signal.IDLE, None)
        self._began_mono = 0.0
        self._fault: DeviceError | None = None

    def start(self) -> None:
        """Open the screen and show IDLE.

        Raises:
            DeviceError: it cannot be had; the message says what to install or switch on.
        """
        with self._changed:
            if self._drawer is not None:
                return
            self._device = self._open()
            self._shown = self._lasting
            self._drawer = Thread(target=self._draw, name="screen", daemon=True)
            self._drawer.start()

    def show(self, signal: Signal, decision: Decision | None = None) -> None:
        """Draw that signal.

        Raises:
            DeviceError: the screen has failed, and has not worked since.
        """
        with self._changed:
            self._shown = (signal, decision)
            self._began_mono = time.monotonic()
            if signal not in TIMED:
                self._lasting = self._shown
            self._changed.notify()
            if self._fault is not None:
                raise self._fault

    def stop(self) -> None:
        """Leave the words on it that the gate is out of service."""
        with self._changed:
            drawer, self._drawer = self._drawer, None
            self._changed.notify()
        if drawer is not None:
            drawer.join()
        with suppress(Exception):
            self._undo.close()
        self._device = None

    def _draw(self) -> None:
        from gate.drivers.screen_faces import OUT_OF_SERVICE, face_of  # noqa: PLC0415  (Pillow: 16 MB)

        drawn: Face | None = None
        with self._changed:
            while self._drawer is not None:
                signal, decision = self._shown
                left_s: float | None = None
                if signal in TIMED:
                    lasts_s = IDENTIFY_S if signal is Signal.IDENTIFY else self._settings.result_s
                    left_s = self._began_mono + lasts_s - time.monotonic()
                    if left_s <= 0:
                        self._shown = self._lasting
                        continue
                if (face := face_of(signal, decision)) != drawn:
                    drawn = face if self._put(face) else None
                    if self._shown != (signal, decision) or self._drawer is None:
                        continue
                self._changed.wait(left_s if drawn is not None else min(left_s or RETRY_S, RETRY_S))
        self._put(OUT_OF_SERVICE, locked=False)

    def _put(self, face: Face, *, locked: bool = True) -> bool:
        """Draw it, without the lock where it is held: a bus takes its time, and `show` must not."""
        from gate.drivers.screen_faces import draw, in_one_colour  # noqa: PLC0415

        if locked:
            self._changed.release()
        fault = None
        try:
            device = self._device
            one_colour = device.mode == "1"
            image = draw(in_one_colour(face) if one_colour else face, device.width, device.height, self._languages)
            device.display(image.convert(device.mode))
        except Exception as error:  # luma lets its bus libraries' errors through
            fault = DeviceError(f"screen {self._settings.display}: {error}; check its wires and its bus")
        finally:
            if locked:
                self._changed.acquire()
        self._fault = fault
        return fault is None

    def _open(self) -> Any:
        settings = self._settings
        try:
            from luma.core.device import dummy  # noqa: PLC0415

            from gate.drivers.screen_faces import FONT_FILE  # noqa: PLC0415

            if not Path(FONT_FILE).is_file():
                raise DeviceError(f"screen: {FONT_FILE} is missing; install it: sudo apt install fonts-dejavu-core")
            if settings.display == "dummy":
                return dummy(width=settings.width, height=settings.height)
            return self._open_on_bus()
        except ImportError as error:
            raise DeviceError(f"screen: {error}; install the extra `screen` (and, for SPI, python3-spidev)") from error
        except DeviceError:
            raise
        except Exception as error:
            self._undo.close()
            raise DeviceError(f"screen {settings.display}: {error}; switch its bus on (raspi-config), let this user "
                              "open it (groups spi, i2c), and check its wires") from error

    def _open_on_bus(self) -> Any:
        from luma.core.interface.serial import i2c, spi  # noqa: PLC0415

        settings = self._settings
        if settings.display in ON_I2C:
            import luma.oled.device as oled  # noqa: PLC0415

            bus, kind = i2c(port=settings.bus, address=settings.i2c_address), getattr(oled, settings.display)
        else:
            import luma.lcd.device as lcd  # noqa: PLC0415

            lines = LumaPins(self._pins, self._undo)
            bus = spi(gpio=lines, port=settings.bus, gpio_DC=settings.dc_pin, gpio_RST=settings.reset_pin,
                      bus_speed_hz=32_000_000)
            kind = getattr(lcd, settings.display)
        device = kind(bus, width=settings.width, height=settings.height, rotate=settings.turned // 90)
        device.persist = True  # what is drawn last stays
        return device


class LumaPins:
    """The three calls of RPi.GPIO that luma makes, on the pins that the config names."""

    OUT, HIGH, LOW = "out", 1, 0

    def __init__(self, pins: Factory, undo: ExitStack) -> None:
        self._pins, self._undo = pins, undo
        self._lines: dict[int, Any] = {}

    def setup(self, pin: int, _mode: str) -> None:
        self._lines[pin] = self._undo.enter_context(open_output("screen", pin, True, self._pins))

    def output(self, pin: int, level: int) -> None:
        self._lines[pin].value = level

    def cleanup(self, *_: object) -> None:
        """The lines are closed with the screen."""
