"""The process that locks the barrier when the daemon dies or hangs: `python -m gate.drivers.release_guardian PID`.

Standard input says whose pins they are, then, line by line, until which monotonic second something is released (0:
nothing). It ends when it has locked, or when it hears that the daemon locked everything itself.
"""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gate.drivers.pins import open_factory
from gate.drivers.relay import RelayBarrier, RelaySettings
from gate.drivers.release_guard import BYE, GRACE_S, Order
from gate.errors import DeviceError

GIVE_UP_AFTER_S = 10.0
"""Who still holds a line so long after the daemon's end is another daemon, and it locks at its start."""
RETRY_S = 0.02


def main(daemon_pid: int) -> int:
    """Watch until the end; 0 when the lines are locked."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # whoever ends the daemon's group ends it, not this
        signal.signal(number, signal.SIG_IGN)
    daemon = _open(daemon_pid)
    order = msgspec.json.decode(_first_line(), type=Order, dec_hook=_path)
    barrier = msgspec.convert(order.barrier, RelaySettings)
    import gpiozero  # noqa: F401, PLC0415  (the part that takes time: now, and not when it matters)

    open_factory(order.pins).close()
    with suppress(BrokenPipeError):  # it has ended meanwhile
        os.write(1, b"\n")
    if daemon is not None and watch(daemon) == BYE:
        return 0
    return 0 if lock(order, barrier) else 3


def watch(daemon: int) -> float:
    """Read what the daemon says until it has ended, and end it when a release lasts too long.

    Returns BYE when the daemon said that everything is locked; else the end of the last release.
    """
    until_mono, said = 0.0, b""
    waiting = select.poll()
    waiting.register(daemon, select.POLLIN)
    waiting.register(0, select.POLLIN)
    while True:
        overdue_mono = until_mono + GRACE_S if until_mono else math.inf
        left_s = overdue_mono - time.monotonic()
        ready = dict(waiting.poll(None if left_s == math.inf else max(left_s, 0) * 1000))
        if 0 in ready:
            data = os.read(0, 4096)
            *lines, said = (said + data).split(b"\n")
            until_mono = float(lines[-1]) if lines else until_mono
            if until_mono == BYE:
                return BYE
            if not data:
                waiting.unregister(0)
        elif daemon in ready:
            return until_mono
        elif time.monotonic() >= overdue_mono:
            until_mono = 0.0
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(daemon, signal.SIGKILL)


def lock(order: Order, settings: RelaySettings) -> bool:
    """Claim every line in its locked level, as soon as the kernel has taken it from the daemon."""
    give_up_mono = time.monotonic() + GIVE_UP_AFTER_S
    while time.monotonic() < give_up_mono:
        barrier = RelayBarrier(settings, open_factory(order.pins))
        try:
            barrier.start()
        except DeviceError:
            time.sleep(RETRY_S)
        else:
            return True
        finally:
            barrier.stop()
    return False


def _open(daemon_pid: int) -> int | None:
    """A descriptor of the daemon that started this process, None when it has ended meanwhile."""
    try:
        daemon = os.pidfd_open(daemon_pid)
    except ProcessLookupError:
        return None
    return daemon if os.getppid() == daemon_pid else None  # else the number is another's by now


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1) or sys.exit(2)
    return line


def _path(kind: type, value: Any) -> Any:
    return Path(value) if kind is Path else value


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
