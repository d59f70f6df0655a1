"""A USB keyboard, number pad or scanner as a stream of characters, taken from the console: nothing else hears its keys.

The kernel's own interface (Linux `Documentation/input/event-codes.rst`, `include/uapi/linux/input.h`), with no library.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable

from gate.errors import DeviceError

EVENT = struct.Struct("@llHHi")
"""`struct input_event` of a 64-bit kernel: seconds, microseconds, type, code, value."""
EVENTS_MAX = 64
"""So many events are taken at once."""
EVIOCGRAB = 0x40044590
EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3
KEY_UP, KEY_DOWN = 0, 1
SHIFTS = frozenset({42, 54})
CAPS_LOCK = 58

# Key codes of linux/input-event-codes.h in their rows, beside what a US keyboard types with and without shift.
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (71, "789-456+1230.", "789-456+1230."),
    (512, "0123456789*#", "0123456789*#"),
)
_ALONE = {1: "\x1b", 14: "\b", 15: "\t", 28: "\r", 55: "*", 57: " ", 96: "\r", 98: "/", 111: "\x7f"}

PLAIN = _ALONE | {first + at: key for first, plain, _ in _ROWS for at, key in enumerate(plain)}
SHIFTED = _ALONE | {first + at: key for first, _, shifted in _ROWS for at, key in enumerate(shifted)}


class KeyLayout:
    """What the keys type, US layout. Pure; a key that types no ASCII character types nothing."""

    def __init__(self) -> None:
        self._shifts: set[int] = set()
        self._caps = False

    def type(self, events: bytes) -> bytes:
        """The characters of the keys that went down; `events` is whole `struct input_event`s.

        Raises:
            DeviceError: keys were lost, or half an event came; what was typed cannot be believed.
        """
        typed = []
        try:
            for _, _, kind, code, value in EVENT.iter_unpack(events):
                if kind == EV_SYN and code == SYN_DROPPED:
                    raise DeviceError("keys came faster than they were read, and some are lost; scan again")
                if kind == EV_KEY:
                    typed.append(self._press(code, value))
        except struct.error as error:
            raise DeviceError("not an input device of a 64-bit kernel; name one of /dev/input/by-id") from error
        return "".join(typed).encode()

    def _press(self, code: int, value: int) -> str:
        if code in SHIFTS:
            (self._shifts.discard if value == KEY_UP else self._shifts.add)(code)
        if value != KEY_DOWN:
            return ""
        self._caps ^= code == CAPS_LOCK
        plain = PLAIN.get(code, "")
        shifted = bool(self._shifts) != (self._caps and plain.isalpha())
        return SHIFTED.get(code, "") if shifted else plain


def grab(fd: int) -> None:
    """Take the device for this process alone (EVIOCGRAB).

    Raises:
        OSError: it is grabbed already, or no input device.
    """
    fcntl.ioctl(fd, EVIOCGRAB, 1)


class EvdevKeys:
    """An open input device, grabbed: a `ByteSource` of the characters that its keys type.

    Raises:
        DeviceError: it is not there, not ours to open, or another program grabbed it.
    """

    def __init__(self, path: str, grab: Callable[[int], None] = grab) -> None:
        self._layout = KeyLayout()
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            grab(self._fd)
            self._drain()
        except OSError as error:
            self.close()
            raise DeviceError(
                f"{path}: {error.strerror or error}; plug it in, add the user to the group input, and stop "
                "any other program that reads it"
            ) from error

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        """The characters of the keys that went down.

        Raises:
            OSError: the device has gone, or keys were lost.
        """
        if not (events := os.read(self._fd, EVENTS_MAX * EVENT.size)):
            raise DeviceError("the device has gone; plug it in again")
        return self._layout.type(events)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _drain(self) -> None:
        """Forget what was typed before the device was ours: the console has heard it."""
        try:
            while os.read(self._fd, EVENTS_MAX * EVENT.size):
                pass
        except BlockingIOError:
            pass
