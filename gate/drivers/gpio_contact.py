"""An input line: passage sensor, door contact, button or emergency input on a pin."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gate import config
from gate.drivers.base import ContactSays
from gate.drivers.pins import BcmPin, pin_faults
from gate.model import Contact

if TYPE_CHECKING:
    from gpiozero import Factory


class GpioContactSettings(config.Section, frozen=True, kw_only=True):
    """Which pin, how it is biased, and which level means active.

    A broken wire reads as the pull: with `pull: up` and `active: high` a cut emergency loop releases.
    """

    pin: BcmPin
    pull: Literal["up", "down", "none"] = "up"
    active: Literal["low", "high"] = "low"
    debounce_ms: Annotated[int, Meta(ge=0, le=1_000)] = 20


class GpioContact:
    """Says the present level at start and then each edge that outlasts `debounce_ms` (the pin library's)."""

    Settings = GpioContactSettings

    def __init__(self, name: str, settings: GpioContactSettings, pins: Factory) -> None:
        self.name = name
        self._settings = settings
        self._pins = pins
        self._device: Any = None
        self._in_order = Lock()

    def start(self, say: ContactSays) -> None:
        """Watch the line.

        Raises:
            DeviceError: the line cannot be had.
        """
        if self._device is not None:
            return
        from gpiozero import DigitalInputDevice  # noqa: PLC0415  (see gate.drivers.pins.open_output)

        settings = self._settings
        with pin_faults(f"contact {self.name}", settings.pin):
            device = DigitalInputDevice(
                settings.pin,
                pull_up={"up": True, "down": False, "none": None}[settings.pull],
                active_state=settings.active == "high" if settings.pull == "none" else None,
                bounce_time=settings.debounce_ms / 1000 or None,
                pin_factory=self._pins,
            )
        # With a pull gpiozero decides for itself which level is active: away from the pull.
        inverted = (settings.pull, settings.active) in {("up", "high"), ("down", "low")}

        def tell(active: bool) -> None:
            with self._in_order:
                say(Contact(self.name, active))

        with self._in_order:  # an edge from now on comes after the present level
            device.when_activated = lambda: tell(not inverted)
            device.when_deactivated = lambda: tell(inverted)
            say(Contact(self.name, bool(device.value) != inverted))
        self._device = device

    def stop(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            with suppress(Exception):  # the line may have gone with its chip
                device.close()
