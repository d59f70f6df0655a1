"""`gate outputs safe` and `gate outputs test`: every output of a config, from outside the daemon.

`safe` is what systemd runs as ExecStopPost, when the daemon is gone and its lines keep their last level. It is
no emergency stop for a running daemon: that one holds the lines, and `safe` then says who has to stop first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from gate.errors import ConfigError, DeviceError
from gate.model import Direction, Signal

HELP = "put every output in its safe state, or test each"
DONE, CANNOT = 0, 3
SCHEMA = "gate.outputs/1"
PULSE_S = 0.6
DIRECTIONS = {Direction.ENTRY: ("chiều vào", "entry"), Direction.EXIT: ("chiều ra", "exit")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add `safe` and `test`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="{safe,test}")
    safe = actions.add_parser("safe", help="lock the barrier, lamps and buzzer off; the daemon must be stopped")
    test = actions.add_parser("test", help="move each output in turn and say what should be seen")
    for action in (safe, test):
        action.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gate's config")
    safe.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")
    test.add_argument("--pause", type=float, default=2.5, metavar="S", help="seconds for each step (2.5)")


def run(args: argparse.Namespace) -> int:
    """Do it; 0 when every output obeyed, 3 when one did not."""
    began_s = time.perf_counter()
    outputs = _outputs(args.config)
    if args.action == "test":
        return _test(outputs, args.pause)
    faults = {role: _secure(device) for role, device in outputs}
    elapsed_ms = round((time.perf_counter() - began_s) * 1000, 1)
    if args.json:
        rows = [{"output": role, "safe": not fault, "detail": fault} for role, fault in faults.items()]
        print(json.dumps({"schema": SCHEMA, "safe": not any(faults.values()), "ms": elapsed_ms, "outputs": rows},
                         ensure_ascii=False))
    else:
        for role, fault in faults.items():
            print(f"LỖI / FAULT: {role}: {fault}" if fault else f"an toàn / safe: {role}")
        print(f"{elapsed_ms} ms")
    return CANNOT if any(faults.values()) else DONE


def _outputs(file: Path) -> list[tuple[str, Any]]:
    """Every output of the config under the place where it stands there; none is opened yet.

    A fault in another section does not keep the barrier from being locked.
    """
    from gate.config.reading import check
    from gate.drivers import BARRIERS, INDICATORS, resolve
    from gate.drivers.pins import open_factory

    report = check(file, files=False)
    sections = report.sections
    if not {"pins", "barrier", "indicators"} <= sections.keys():
        raise ConfigError(report.lines(warnings=False))
    pins = open_factory(sections["pins"])
    barrier = sections["barrier"]
    outputs = [(f"barrier ({barrier.driver})", resolve(BARRIERS, barrier.driver)(barrier.settings, pins))]
    for index, device in enumerate(sections["indicators"]):
        role = f"indicators[{index}] ({device.driver})"
        outputs.append((role, resolve(INDICATORS, device.driver)(device.settings, pins)))
    return outputs


def _secure(device: Any) -> str:
    """Start and stop one output, both of which leave it safe. Returns what went wrong, or ''."""
    try:
        device.start()
    except DeviceError as error:
        return str(error)
    finally:
        device.stop()
    return ""


def _test(outputs: list[tuple[str, Any]], pause_s: float) -> int:
    result = DONE
    for role, device in outputs:
        try:
            device.start()
            for vi, en, move in _moves(device):
                print(f"{role}: {vi} / {en}", flush=True)
                move()
                time.sleep(pause_s)
        except DeviceError as error:
            print(f"LỖI / FAULT: {role}: {error}")
            result = CANNOT
        finally:
            device.stop()
    return result


def _moves(device: Any) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Each move of one output: what should be noticed, in Vietnamese and English, and the call that makes it."""
    if hasattr(device, "release"):
        for direction, (vi, en) in DIRECTIONS.items():
            yield (f"mở {vi} trong {PULSE_S:g} giây", f"{en} unlocks for {PULSE_S:g} s",
                   partial(device.release, direction, PULSE_S))
        return
    looks = getattr(device, "LOOKS", {})
    for signal in Signal:
        vi, en = looks.get(signal, (signal.value, signal.value))
        yield f"{signal.value}: {vi}", en, partial(device.show, signal)
