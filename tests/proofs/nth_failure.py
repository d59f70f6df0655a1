"""One call after the other of a whole daemon fails, then stalls for a second: what people and the ledger see of it.

    python -m tests.proofs.nth_failure                          every call, of record
    python -m tests.proofs.nth_failure --every 7 --jobs 4       every 7th
    python -m tests.proofs.nth_failure --call allocate          every call of that kind
    python -m tests.proofs.nth_failure --controls               without each mechanism: it has to fail
    python -m tests.proofs.nth_failure --call fdatasync --nth 3 --error EIO      one, with all that was told

A life without faults is counted first: open, write, pwrite, fsync, fdatasync in the gate's `state_dir` (SQLite's own
ones included), send to the broker, set a pin, allocate a buffer (in any library; more than 512 bytes, or an arena of
Python's smaller blocks). Then each is struck in a life of its own, in a forked process
(`faults.struck_gate`), and the ledger is recovered as the next start would. What must hold:

    no false release   each rise of a relay has its own earlier record in the recovered ledger
    nothing lost       what was said to be flushed is in the recovered ledger, and in the states that a power cut at
                       the end may have left (`faults.power_cut`; a sync that failed covers nothing)
    a safe end         an end by an exception leaves every output off (one by a signal: `tests.proofs.kills`)
    a way out          each is served, unless its own pin failed or the process ended (who is answered INTERNAL_ERROR
                       for want of memory shows the code once more); while a call of the disk stalls,
                       one is served before it goes on; after an end the next start serves it
    an alarm           by an alert or by the exit code, unless everybody was served and every event would survive a
                       power cut at the end, and no grant's record was flushed later than `flush_max_ms`
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random

from msgspec.structs import replace

from gate import config, wire
from gate.config.reading import load
from gate.demo.parts import free_port, wait_for
from gate.demo.site import make_site
from gate.drivers.pin_trace import levels
from gate.ledger import FILE_NAME, LedgerReader, Row
from gate.model import EventKind
from tests.support_gate import Pulse, assert_every_pulse_has_its_record

from .faults.lives import Ground, Life, fork, lives, read, tidy
from .faults.power_cut import Disk, empty
from .faults.recorded import BrokenError
from .faults.recorded_ledger import GATE, SITE, LedgerRun, ledger_in
from .faults.shim import Shim, compiled, missing, operations
from .faults.struck_gate import BUG, DOOMED, MECHANISMS, ON_THE_NETWORK, Strike

ERRORS = {"open": (errno.EIO, errno.EMFILE), "write": (errno.EIO, errno.ENOSPC), "pwrite": (errno.EIO, errno.ENOSPC),
          "fsync": (errno.EIO,), "fdatasync": (errno.EIO,), "send": (errno.ECONNRESET,), "gpio": (errno.EIO,),
          "allocate": (errno.ENOMEM,)}
"""How each call fails; each stalls as well, but for an allocation, at which the whole process would stand still."""
ENDINGS = {"allocate": (0, DOOMED, BUG, -signal.SIGABRT, -signal.SIGSEGV)}
"""Where there is no memory the core's own exception may end it, and libraries that are not Python die at once."""
DISK_CALLS = frozenset({"open", "write", "pwrite", "fsync", "fdatasync"})
POWER_CUTS = 6
NEXT_START = "next start"
"""The mark that ends a life in the record."""
CONTROL_FROM = 12
"""The first call that the controls strike: after the start."""
FLUSH_MAX_MS = 500
"""Less than a stall takes, so that every stalled flush is late."""
LATE_GRACE_MS = 250
"""What a loaded machine may add."""


# --- what must hold ------------------------------------------------------------------------------------


def check(ground: Ground, life: Life, without: str = "") -> None:
    """Hold a life (and the start after it) `without` a mechanism against what it must keep.

    Raises:
        BrokenError: it did not.
    """
    # Thread.start waits for ever for a thread that had no memory to begin: TimeoutStartSec= of the unit ends that.
    stuck_at_start = life.strike.call == "allocate" and life.code == -signal.SIGKILL and not life.told("visit")
    if not stuck_at_start and life.code not in ENDINGS.get(life.strike.call, (0, DOOMED)):
        raise BrokenError(f"it ended with {life.code}: {[tale.name for tale in life.told('ended')]}")
    if life.code >= 0 and life.strike.call != "gpio" and (left := left_on(life.folder / "pins.trace")):
        raise BrokenError(f"it ended with {life.code} and left outputs on: {left}")
    rows = recover(life, without)
    events, hashes = [wire.read_event(row.body) for row in rows], {row.seq: bytes(row.hash) for row in rows}
    if life.flushed_seq > len(hashes):
        raise BrokenError(f"flushed up to {life.flushed_seq}, and there are {len(hashes)} events")
    try:
        assert_every_pulse_has_its_record(pulses(life.folder), events)
    except AssertionError as error:
        raise BrokenError(f"a false release: {error}") from error
    cut_power(life, events[0].epoch if events else "", hashes)
    check_ways_out(life)
    check_alarm(life, events)
    if life.code:
        check_next_start(ground, life)


def recover(life: Life, without: str) -> list[Row]:
    """Start the ledger as the next daemon would, in a process that is recorded as well; its rows."""
    state = life.folder / "state"
    child = os.fork()
    if not child:
        code = BUG
        try:
            if without:
                MECHANISMS[without][0]()
            shim = Shim()
            shim.watch(state, life.folder / "record")
            shim.mark(NEXT_START)
            ledger = ledger_in(state)
            ledger.start()
            ledger.stop()
            code = DOOMED if ledger.damaged_copy else 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status:
        raise BrokenError(f"the ledger was found damaged, or does not start: {os.waitstatus_to_exitcode(status)}")
    reader = LedgerReader(state / FILE_NAME)
    try:
        rows = list(reader.all_rows())
    finally:
        reader.close()
    if [row.seq for row in rows] != list(range(1, len(rows) + 1)):
        raise BrokenError("the ledger misses an event")
    return rows


def pulses(folder: Path) -> list[Pulse]:
    """Every rise of an output."""
    trace = folder / "pins.trace"
    lines = [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []
    return [Pulse(float(at), int(pin)) for at, pin, level in lines if level == "1"]


def left_on(trace: Path) -> set[int]:
    """The outputs that are on after all."""
    return {pin for pin, high in levels(trace).items() if high} if trace.exists() else set()


def cut_power(life: Life, epoch: str, hashes: dict[int, bytes]) -> None:
    """Recover what a power cut may have left when the life was over, and at each sync and promise since one failed."""
    disk, run, failed = Disk(life.folder / "state"), LedgerRun(epoch=epoch, hashes=hashes), False
    for operation in operations(life.folder / "record"):
        if operation.kind == "K":
            run.hear(operation.data.decode())
            if operation.data == NEXT_START.encode():
                run.flushed_seq = len(hashes) if life.silent else run.flushed_seq
                recover_cuts(life, disk, run)
        else:
            failed |= operation.kind == "X"
            disk.follow(operation)
        if failed and operation.kind in "KE":
            recover_cuts(life, disk, run)


def recover_cuts(life: Life, disk: Disk, run: LedgerRun) -> None:
    """Recover states that a power cut may leave here."""
    if not run.flushed_seq:
        return
    place = life.folder / "cut"
    place.mkdir(exist_ok=True)
    for state in disk.states(POWER_CUTS, Random(str(life.strike))):
        state.lay_out(place)
        try:
            run.check(place, whole=False)
        except BrokenError as error:
            raise BrokenError(f"after a power cut: {error}") from error
        empty(place)


def check_ways_out(life: Life) -> None:
    """Everybody who wanted to leave could."""
    struck = life.struck
    for visit in life.told("visit"):
        if not visit.name.startswith("out"):
            continue
        if not visit.number and not (life.strike.call == "gpio" and life.strike.error):
            raise BrokenError(f"somebody could not leave: {visit}")
        in_stall = struck is not None and struck.at_mono <= visit.at_mono < struck.until_mono
        if in_stall and life.strike.call in DISK_CALLS and visit.until_mono > struck.until_mono:
            raise BrokenError(f"a way out waited for the disk: {visit}, {struck}")


def check_alarm(life: Life, events: list[wire.Event]) -> None:
    """Nobody was sent away, and no record was late, in silence."""
    for visit in life.told("visit"):
        if life.silent and not visit.number and "la-cccd" not in visit.name:
            raise BrokenError(f"nobody was told that somebody was not served: {visit}")
    struck, left = life.struck, life.told("left")
    if struck is None or life.strike.call not in DISK_CALLS or (left and left[0].at_mono <= struck.at_mono):
        return  # a core that has ended alarms no more, and nobody passes any more
    mono_of_utc = time.monotonic() - time.time()
    for event in events:
        happened_mono = datetime.fromisoformat(event.time).timestamp() + mono_of_utc
        flushed_mono = min((tale.at_mono for tale in life.told("flushed") if tale.number >= event.seq), default=0.0)
        late = flushed_mono - happened_mono > (FLUSH_MAX_MS + LATE_GRACE_MS) / 1000
        if late and event.kind == EventKind.ACCESS_GRANTED and life.silent:
            raise BrokenError(f"nobody was told that a record was flushed late: {event.seq}")


def check_next_start(ground: Ground, life: Life) -> None:
    """After an end the next start serves."""
    again = life.folder / "again"
    again.mkdir()
    shutil.copytree(life.folder / "state", again / "state", symlinks=True)
    child = fork(ground, Strike(), again)
    _, status = os.waitpid(child, 0)
    after = read(Strike(), again, os.waitstatus_to_exitcode(status))
    if after.code or not after.told("visit"):
        raise BrokenError(f"the next start ended with {after.code}: {after.told('ended')}")
    check_ways_out(after)


# --- running it ----------------------------------------------------------------------------------------


def strikes(counts: Counter[str], calls: Collection[str], every: int) -> Iterator[Strike]:
    """Each `every`th call of these kinds, failing in each of its ways, then stalling."""
    for call, errors in ERRORS.items():
        for nth in range(1, counts[call] + 1, every) if call in calls else ():
            for error in (*errors, *(() if call == "allocate" else (0,))):
                yield Strike(call, nth, error)


def count_calls(ground: Ground) -> Counter[str]:
    """How many calls of each kind a life makes in which nothing fails, and everybody is served."""
    quiet, *talking = lives(ground, [Strike(), *map(Strike, sorted(ON_THE_NETWORK))], 1)
    for life in (quiet, *talking):
        check(ground, life)
        if any(not visit.number and "la-cccd" not in visit.name for visit in life.told("visit")):
            raise BrokenError(f"somebody was not served though nothing failed: {life.told('visit')}")
        tidy(life)
    counts = Counter(quiet.counts, **{life.strike.call: life.counts[life.strike.call] for life in talking})
    print("calls in a clean life:", ", ".join(f"{counts[call]} {call}" for call in ERRORS), flush=True)
    return counts


def broken_promise(ground: Ground, life: Life, without: str = "") -> str:
    """What a life did not keep; empty when it kept all. Its folder is gone then."""
    try:
        check(ground, life, without)
    except BrokenError as error:
        return str(error)
    finally:
        tidy(life)
    return ""


def run(ground: Ground, calls: Collection[str], every: int, jobs: int) -> int:
    """Strike these calls of a life; 1 when one did not keep its promises."""
    began_mono = time.monotonic()
    struck, ends, broken = Counter[str](), Counter[str](), 0
    for life in lives(ground, strikes(count_calls(ground), calls, every), jobs):
        struck[f"{life.strike.call} {'failed' if life.strike.error else 'stalled'}"] += 1
        ends["died at once" if life.code < 0 else "ended with an exit code" if life.code else
             "kept everything" if life.silent else "went on and alerted"] += 1
        if promise := broken_promise(ground, life):
            broken += 1
            print(f"BROKEN: {life.strike}: {promise}", flush=True)
    for counted in (struck, ends):
        print(", ".join(f"{number} {what}" for what, number in counted.items()))
    print(f"{struck.total()} lives, {broken} broken, {time.monotonic() - began_mono:.0f} s, {jobs} at a time")
    return bool(broken)


def run_controls(ground: Ground, jobs: int) -> int:
    """Take each mechanism away, and strike until its promise breaks; 1 when one holds without its mechanism."""
    counts, idle = count_calls(ground), []
    for name, (_, how, words) in MECHANISMS.items():
        each = (Strike(how.call, nth, how.error) for nth in range(CONTROL_FROM, counts[how.call]))
        for struck, life in enumerate(lives(ground, each, jobs, name), 1):
            if words in (promise := broken_promise(ground, life, name)):
                print(f"without {name}: life {struck} broke: {promise}", flush=True)
                break
        else:
            print(f"without {name}: none broke", flush=True)
            idle.append(name)
    return bool(idle)


def run_one(ground: Ground, strike: Strike) -> int:
    """One life, with all that was told."""
    (life,) = lives(ground, [strike], 1)
    print(*life.tales, (life.folder / "log").read_text(), sep="\n")
    check(ground, life)
    return 0


def on_ground(work: Callable[[Ground], int]) -> int:
    """Make a site and a broker in memory, and work there."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="gate-nth-", dir=memory) as name:
        folder, port = Path(name).resolve(), free_port()
        site = make_site(folder / "site", port, lambda text: None)
        settings = load(site.config)
        settings = replace(
            settings, site=replace(settings.site, id=SITE), gate=replace(settings.gate, id=GATE),
            readers=(config.ReaderConfig(name="in", direction="entry", driver="serial"),
                     config.ReaderConfig(name="out", direction="exit", driver="serial")),
            portal=replace(settings.portal, pulse_s=0.02, passage_s=0.05, pending_s=2.0),
            ledger=replace(settings.ledger, flush_max_ms=FLUSH_MAX_MS))
        broker = subprocess.Popen(["mosquitto", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("the broker", lambda: accepts(port))
            return work(Ground(folder, site, settings, port))
        finally:
            broker.terminate()
            broker.wait()


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def main() -> int:
    """Strike one call, or as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--controls", action="store_true", help="take each mechanism away: the proof has to fail")
    parser.add_argument("--call", choices=ERRORS)
    parser.add_argument("--nth", type=int, help="this one, with all that was told")
    parser.add_argument("--error", default="stall", help="such as EIO; left out, the call stalls")
    chosen = parser.parse_args()
    if reason := missing():
        print(f"NOT RUN: {reason}")
        return 2
    if "LD_PRELOAD" not in os.environ:
        arguments = [sys.executable, "-m", "tests.proofs.nth_failure", *sys.argv[1:]]
        os.execve(sys.executable, arguments, os.environ | {"LD_PRELOAD": str(compiled())})
    if chosen.nth:
        strike = Strike(chosen.call, chosen.nth, getattr(errno, chosen.error, 0))
        return on_ground(lambda ground: run_one(ground, strike))
    if chosen.controls:
        return on_ground(lambda ground: run_controls(ground, chosen.jobs))
    return on_ground(lambda ground: run(ground, [chosen.call] if chosen.call else ERRORS, chosen.every, chosen.jobs))


if __name__ == "__main__":
    sys.exit(main())
