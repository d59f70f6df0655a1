"""One call after the other of a whole daemon fails, then stalls for a second: what people and the ledger see of it.

    python -m tests.proofs.nth_failure                          every call, of record
    python -m tests.proofs.nth_failure --every 7 --jobs 4       every 7th
    python -m tests.proofs.nth_failure --call fdatasync --nth 3 --error EIO      one, with all that was told

A life without faults is counted first: open, write, pwrite, fsync, fdatasync in the gate's `state_dir` (SQLite's own
ones included), send to the broker, set a pin. Then each is struck in a life of its own, in a forked process
(`faults.struck_gate`), and the ledger is recovered as the next start would. What must hold:

    no false release   each rise of a relay has its own earlier record in the recovered ledger
    nothing lost       what was said to be flushed is in the recovered ledger, and in the states that a power cut at
                       the end may have left (`faults.power_cut`; a sync that failed covers nothing)
    a way out          each is served, unless its own pin failed or the process ended; while a call of the disk stalls,
                       one is served before it goes on; after an end the next start serves it
    an alarm           by an alert or by the exit code, unless everybody was served and every event would survive a
                       power cut at the end
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import msgspec
from msgspec.structs import replace

from gate import config, wire
from gate.config.reading import load
from gate.demo.parts import free_port, wait_for
from gate.demo.site import DemoSite, make_site
from gate.ledger import FILE_NAME
from gate.ledger.exit_journal import journal_path
from gate.model import EventKind
from tests.support_gate import Pulse, assert_every_pulse_has_its_record

from .faults.power_cut import Disk, empty
from .faults.recorded import BrokenError
from .faults.recorded_ledger import GATE, SITE, LedgerRun, ledger_in
from .faults.shim import compiled, missing, operations
from .faults.struck_gate import BUG, DOOMED, Strike, Tale, live

ERRORS = {"open": (errno.EIO, errno.EMFILE), "write": (errno.EIO, errno.ENOSPC), "pwrite": (errno.EIO, errno.ENOSPC),
          "fsync": (errno.EIO,), "fdatasync": (errno.EIO,), "send": (errno.ECONNRESET,), "gpio": (errno.EIO,)}
"""How each call fails; each stalls as well."""
DISK_CALLS = frozenset({"open", "write", "pwrite", "fsync", "fdatasync"})
LIFE_MAX_S = 60.0
POWER_CUTS = 6
FLUSH_MAX_MS = 500
"""Less than a stall takes, so that every stalled flush is late."""
LATE_GRACE_MS = 250
"""What a loaded machine may add."""


@dataclass
class Life:
    """One life of a gate: what it told, and how it ended."""

    strike: Strike
    folder: Path
    code: int = 0
    tales: list[Tale] = field(default_factory=list)

    def told(self, what: str) -> list[Tale]:
        return [tale for tale in self.tales if tale.what == what]

    @property
    def flushed_seq(self) -> int:
        return max((tale.number for tale in self.told("flushed")), default=0)

    @property
    def counts(self) -> Counter[str]:
        return Counter({tale.name: tale.number for tale in self.told("counts")})

    @property
    def silent(self) -> bool:
        """Whether nobody was told of anything: then nothing may be missing."""
        return not (self.code or self.told("alert"))

    @property
    def struck(self) -> Tale | None:
        return next(iter(self.told("struck")), None)


@dataclass
class Ground:
    """Where gates live: a made site, and the broker that they talk to when sends are struck."""

    folder: Path
    site: DemoSite
    settings: config.Config
    broker_port: int

    def settings_in(self, folder: Path, mqtt: bool) -> config.Config:
        """The settings of a gate with a state of its own."""
        return replace(
            self.settings, state_dir=folder / "state", pins=replace(self.settings.pins, trace=folder / "pins.trace"),
            mqtt=config.Mqtt(host="127.0.0.1", port=self.broker_port) if mqtt else None)

    def prepare(self, name: str) -> Path:
        """A folder with documents and no ledger yet."""
        folder = self.folder / name
        shutil.copytree(self.site.folder / "state", folder / "state", symlinks=True)
        return folder


def fork(ground: Ground, strike: Strike, folder: Path) -> int:
    """Let a gate live in a process of its own; its id."""
    child = os.fork()
    if child:
        return child
    code = BUG
    try:
        with (folder / "log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        code = live(ground.settings_in(folder, strike.call == "send"), ground.site.codes, strike, folder)
    finally:
        os._exit(code)


def read(strike: Strike, folder: Path, code: int) -> Life:
    """What became of it."""
    told = folder / "told"
    lines = told.read_bytes().splitlines() if told.exists() else []
    return Life(strike, folder, code, [msgspec.json.decode(line, type=Tale) for line in lines])


def lives(ground: Ground, strikes: Iterable[Strike], jobs: int) -> Iterator[Life]:
    """Let gates live, some at a time, each with its strike."""
    waiting, living = enumerate(strikes), dict[int, tuple[Strike, Path, float]]()
    more = True
    while more or living:
        while more and len(living) < jobs:
            number, strike = next(waiting, (0, None))
            if strike is None:
                more = False
                break
            folder = ground.prepare(f"{strike.call or 'none'}-{number}")
            living[fork(ground, strike, folder)] = strike, folder, time.monotonic()
        for child in list(living):
            ended, status = os.waitpid(child, os.WNOHANG)
            strike, folder, began_mono = living[child]
            if ended:
                del living[child]
                yield read(strike, folder, os.waitstatus_to_exitcode(status))
            elif time.monotonic() - began_mono > LIFE_MAX_S:
                os.kill(child, 9)
        time.sleep(0.005)


# --- what must hold ------------------------------------------------------------------------------------


def check(ground: Ground, life: Life) -> None:
    """Hold a life against what it must keep.

    Raises:
        BrokenError: it did not.
    """
    if life.code not in (0, DOOMED):
        raise BrokenError(f"it ended with {life.code}: {[tale.name for tale in life.told('ended')]}")
    events, hashes = recover(life)
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


def recover(life: Life) -> tuple[list[wire.Event], dict[int, bytes]]:
    """Start the ledger as the next daemon would; its events, and their hashes."""
    ledger = ledger_in(life.folder / "state")
    ledger.start()
    try:
        if ledger.damaged_copy is not None:
            raise BrokenError("the ledger was found damaged, and set aside")
        rows = ledger.recent(100_000)
    finally:
        ledger.stop()
    if [row.seq for row in rows] != list(range(1, len(rows) + 1)):
        raise BrokenError("the ledger misses an event")
    return [wire.read_event(row.body) for row in rows], {row.seq: bytes(row.hash) for row in rows}


def pulses(folder: Path) -> list[Pulse]:
    """Every rise of an output."""
    trace = folder / "pins.trace"
    lines = [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []
    return [Pulse(float(at), int(pin)) for at, pin, level in lines if level == "1"]


def cut_power(life: Life, epoch: str, hashes: dict[int, bytes]) -> None:
    """Recover what a power cut at the end of this life may have left."""
    disk, run = Disk(life.folder / "state"), LedgerRun(hashes=hashes)
    for operation in operations(life.folder / "record"):
        if operation.kind == "K":
            run.hear(operation.data.decode())
        else:
            disk.follow(operation)
    if not run.flushed_seq:
        return
    run.epoch = epoch
    if life.silent:
        run.flushed_seq = len(hashes)
    place = life.folder / "cut"
    place.mkdir()
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
    mono_of_utc = time.monotonic() - time.time()
    for event in events:
        flushed = next((tale for tale in life.told("flushed") if tale.number >= event.seq), None)
        happened_mono = datetime.fromisoformat(event.time).timestamp() + mono_of_utc
        late = flushed is not None and flushed.at_mono - happened_mono > (FLUSH_MAX_MS + LATE_GRACE_MS) / 1000
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


def strikes(counts: Counter[str], every: int) -> Iterator[Strike]:
    """Each `every`th call of each kind, failing in each of its ways, then stalling."""
    for call, errors in ERRORS.items():
        for nth in range(1, counts[call] + 1, every):
            for error in (*errors, 0):
                yield Strike(call, nth, error)


def run(ground: Ground, every: int, jobs: int) -> int:
    """Count the calls of a clean life, then strike them; 1 when a life did not keep its promises."""
    began_mono = time.monotonic()
    clean = [*lives(ground, [Strike(), Strike("send")], 1)]
    for life in clean:
        check(ground, life)
        if any(not visit.number and "la-cccd" not in visit.name for visit in life.told("visit")):
            raise BrokenError(f"somebody was not served though nothing failed: {life.told('visit')}")
    counts = clean[0].counts + Counter(send=clean[1].counts["send"])
    print("calls in a clean life:", ", ".join(f"{counts[call]} {call}" for call in ERRORS), flush=True)
    done, broken = Counter[str](), 0
    for life in lives(ground, strikes(counts, every), jobs):
        kind = "stalled" if not life.strike.error else "failed"
        done[f"{life.strike.call} {kind}"] += 1
        done["ended with an exit code" if life.code else "went on and alerted" if life.told("alert")
             else "went on, and kept everything"] += 1
        try:
            check(ground, life)
        except BrokenError as error:
            broken += 1
            print(f"BROKEN: {life.strike}: {error}", flush=True)
        tidy(life)
    print(", ".join(f"{number} {what}" for what, number in done.items()))
    total = sum(number for what, number in done.items() if what.endswith(("stalled", "failed")))
    print(f"{total} lives, {broken} broken, {time.monotonic() - began_mono:.0f} s, {jobs} at a time")
    return bool(broken)


def run_one(ground: Ground, strike: Strike) -> int:
    """One life, with all that was told."""
    (life,) = lives(ground, [strike], 1)
    print(*life.tales, (life.folder / "log").read_text(), sep="\n")
    check(ground, life)
    return 0


def tidy(life: Life) -> None:
    """Give back the memory that a life took."""
    for state in (life.folder / "state", life.folder / "again" / "state"):
        journal_path(state / FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(life.folder)


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
            portal=replace(settings.portal, pulse_s=0.02, passage_s=0.05, pending_s=2.0, repeat_s=0.01),
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
    parser.add_argument("--call", choices=ERRORS)
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--error", default="stall", help="such as EIO; left out, the call stalls")
    chosen = parser.parse_args()
    if reason := missing():
        print(f"NOT RUN: {reason}")
        return 2
    if "LD_PRELOAD" not in os.environ:
        arguments = [sys.executable, "-m", "tests.proofs.nth_failure", *sys.argv[1:]]
        os.execve(sys.executable, arguments, os.environ | {"LD_PRELOAD": str(compiled())})
    if chosen.call:
        strike = Strike(chosen.call, chosen.nth, getattr(errno, chosen.error, 0))
        return on_ground(lambda ground: run_one(ground, strike))
    return on_ground(lambda ground: run(ground, chosen.every, chosen.jobs))


if __name__ == "__main__":
    sys.exit(main())
