"""A USB number pad as a stream of characters, taken from the console so that nothing else hears the keys."""

from __future__ import annotations

from contextlib import suppress

from gate.errors import DeviceError

CHARACTERS = {
    **{f"KEY_{prefix}{digit}": str(digit) for prefix in ("", "KP", "NUMERIC_") for digit in range(10)},
    "KEY_ENTER": "\r", "KEY_KPENTER": "\r", "KEY_NUMERIC_POUND": "#",
    "KEY_ESC": "\x1b", "KEY_BACKSPACE": "\b", "KEY_DELETE": "\x7f", "KEY_KPASTERISK": "*", "KEY_NUMERIC_STAR": "*",
}
"""Key names of linux/input-event-codes.h -> the character that a keypad on a line would send."""

KEY_DOWN = 1


class EvdevKeys:
    """An open evdev device, grabbed: a `ByteSource` of the characters above.

    Raises:
        DeviceError: evdev is not installed, the device is not there, or another program grabbed it.
    """

    def __init__(self, path: str) -> None:
        try:
            from evdev import InputDevice, ecodes  # noqa: PLC0415
        except ImportError as error:
            raise DeviceError(f"{path}: evdev is not installed; sudo apt install python3-evdev") from error
        self._characters = {
            ecodes.ecodes[name]: character for name, character in CHARACTERS.items() if name in ecodes.ecodes
        }
        self._key_event = ecodes.EV_KEY
        try:
            self._device = InputDevice(path)
            self._device.grab()
        except OSError as error:
            raise DeviceError(
                f"{path}: {error.strerror or error}; plug the pad in, add the user to the group input, and stop "
                "any other program that reads it"
            ) from error

    def fileno(self) -> int:
        return int(self._device.fileno())

    def read(self) -> bytes:
        """The characters of the keys that went down."""
        with suppress(BlockingIOError):
            return "".join(
                self._characters.get(event.code, "") for event in self._device.read()
                if event.type == self._key_event and event.value == KEY_DOWN
            ).encode()
        return b""

    def close(self) -> None:
        self._device.close()
