"""`gate camera`: the camera's own process, started by `gate run` or by its own systemd unit."""

from __future__ import annotations

import argparse
import ctypes
import logging
import math
import os
import signal
import sys
from pathlib import Path
from typing import get_args

from gate.decoder.engines import Engine

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends us when our parent dies."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options; those of `gate.drivers.camera.CameraSettings`, and its socket."""
    parser.add_argument("--socket", type=Path, required=True, help="where the daemon connects")
    parser.add_argument("--source", default="picamera2",
                        help="picamera2 (default), picamera2:1, v4l2:/dev/video0, video:FILE or folder:DIR")
    parser.add_argument("--engine", default="ladder", choices=get_args(Engine), help="what finds the symbols")
    parser.add_argument("--width", type=int, default=1280, help="pixels (default %(default)s)")
    parser.add_argument("--height", type=int, default=720, help="pixels (default %(default)s)")
    parser.add_argument("--fps", type=int, default=15, help="frames a second (default %(default)s)")
    parser.add_argument("--repeat-s", type=float, default=3.0,
                        help="a code is new again when out of view for so long (default %(default)s)")
    parser.add_argument("--hold-s", type=float, default=1.0,
                        help="how long a folder shows each image (default %(default)s)")
    parser.add_argument("--stall-s", type=float, default=3.0,
                        help="systemd's watchdog is petted while the newest frame is younger (default %(default)s)")
    parser.add_argument("--standby", action="store_true",
                        help="load everything, then wait for a byte on standard input before opening the camera")
    parser.add_argument("--parent", type=int, help="end when the process with this id does")


def run(args: argparse.Namespace) -> int:  # noqa: RET503  (serving ends only by a signal or an error)
    """Serve frames until killed."""
    if args.parent is not None and not die_with(args.parent):
        return 0
    from gate.commands.plain import start_log
    from gate.decoder.engines import open_reader
    from gate.decoder.frame import check_size
    from gate.decoder.still import StillReader
    from gate.drivers.camera_process import CameraProcess
    from gate.drivers.camera_sources import View, open_source
    from gate.drivers.camera_wire import Alive
    from gate.drivers.confinement import confine
    from gate.errors import UsageError
    from gate.watchdog import notify

    start_log("gate camera: %(message)s", logging.WARNING)
    check_size(args.width, args.height)
    if not all(0 < value < math.inf for value in (args.fps, args.repeat_s, args.hold_s, args.stall_s)):
        raise UsageError("--fps, --repeat-s, --hold-s and --stall-s must be numbers above 0")

    def pet(alive: Alive) -> None:
        if alive.frame_age_s < args.stall_s:
            notify("READY=1\nWATCHDOG=1")

    source = open_source(args.source, View(args.width, args.height, args.fps, args.hold_s))
    reader = StillReader(open_reader(args.engine))
    process = CameraProcess(source, reader, args.socket, args.repeat_s, pet, confine=confine)
    if args.standby and not sys.stdin.buffer.read(1):
        return 0  # the daemon let go of it
    process.run()


def die_with(parent: int) -> bool:
    """Have the kernel kill this process with its parent; False when the parent is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent
