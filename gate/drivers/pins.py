"""The pin library that the config names, opened without a silent fall-back, and what every pin driver shares.

Two habits of gpiozero are mended here for the real factories: an output gets its level and its direction in
one call (its lgpio pin claims the line low first, which pulses an active-low relay; gpiozero PR 1177), and a
closed output keeps its level instead of floating.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from gate import config
from gate.errors import DeviceError

if TYPE_CHECKING:
    from gpiozero import Factory, OutputDevice

BcmPin = Annotated[int, Meta(ge=0, le=27, description="BCM number of a pin on the 40-pin header")]


def open_factory(pins: config.Pins) -> Factory:
    """Open exactly the pin factory that the config names.

    Raises:
        DeviceError: it cannot be loaded here; the message says what to install or change.
    """
    try:
        match pins.factory:
            case "lgpio":
                return _open_lgpio(pins.chip)
            case "rpigpio":
                return _open_rpigpio()
            case "mock":
                return _open_mock(pins.trace)
    except ImportError as error:
        package = {"lgpio": "python3-lgpio", "rpigpio": "python3-rpi.gpio"}.get(pins.factory, "gpiozero")
        raise DeviceError(
            f"pins.factory {pins.factory}: {error}; install it (sudo apt install {package}) or name another factory"
        ) from error
    except Exception as error:
        raise DeviceError(
            f"pins.factory {pins.factory}: {_text(error)}; on a Pi let this user open /dev/gpiochip* (group gpio) "
            "and check pins.chip; on any other machine set pins.factory to mock"
        ) from error


def open_output(role: str, pin: int, active_high: bool, factory: Factory) -> OutputDevice:
    """Open a pin as an output that is off from its first moment.

    Raises:
        DeviceError: the line is held by another process, used twice, or not there.
    """
    from gpiozero import OutputDevice  # noqa: PLC0415  (11 MB that a gate without pins never loads)

    with pin_faults(role, pin):
        return OutputDevice(pin, active_high=active_high, initial_value=False, pin_factory=factory)


@contextmanager
def pin_faults(role: str, pin: int) -> Iterator[None]:
    """Turn whatever a pin library raises into a DeviceError that names the pin and the fix."""
    try:
        yield
    except Exception as error:  # lgpio's own error inherits from Exception alone
        text = _text(error)
        busy = "busy" in text.lower() or "in use" in text.lower()
        fix = (
            "another process or device holds it: stop the daemon first (systemctl stop gate), see gpioinfo"
            if busy else "check the pin number and its wiring"
        )
        raise DeviceError(f"{role} on BCM {pin}: {text}; {fix}") from error


def _open_lgpio(chip: int | None) -> Factory:
    _import_lgpio()
    import lgpio  # noqa: PLC0415
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin  # noqa: PLC0415

    class SteadyPin(LGPIOPin):  # type: ignore[misc]
        def output_with_state(self, state: bool) -> None:
            lgpio.gpio_claim_output(self.factory._handle, self._number, int(state))

        def close(self) -> None:
            if self.function != "output":
                super().close()

    factory = LGPIOFactory(chip)
    factory.pin_class = SteadyPin
    return factory


def _import_lgpio() -> None:
    """Import lgpio, which puts a pipe into its working directory and leaves the whole process there."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="gate-lgpio-") as work_dir:
        os.environ["LG_WD"] = work_dir
        try:
            import lgpio  # noqa: F401, PLC0415
        finally:
            os.chdir(here)
            del os.environ["LG_WD"]


def _open_rpigpio() -> Factory:
    from gpiozero.pins.rpigpio import RPiGPIOFactory, RPiGPIOPin  # noqa: PLC0415

    class SteadyPin(RPiGPIOPin):  # type: ignore[misc]
        def close(self) -> None:
            if self.function != "output":
                super().close()

    factory = RPiGPIOFactory()
    factory.pin_class = SteadyPin
    return factory


def _open_mock(trace: Path | None) -> Factory:
    from gpiozero.pins.mock import MockFactory, MockPin  # noqa: PLC0415

    if trace is not None:
        from gate.drivers.pin_trace import tracing_factory  # noqa: PLC0415

        return tracing_factory(trace)
    return MockFactory(pin_class=MockPin)


def _text(error: Exception) -> Any:
    return str(error).strip("'\"") or type(error).__name__
