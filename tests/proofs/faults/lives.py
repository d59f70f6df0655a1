"""Lives of struck gates: each in a forked process and a folder of its own, some at a time."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gate import config
from gate.demo.site import DemoSite
from gate.ledger import FILE_NAME
from gate.ledger.exit_journal import journal_path

from .struck_gate import BUG, ON_THE_NETWORK, Strike, Tale, live

LIFE_MAX_S = 60.0
POLL_S = 0.005


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
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self.folder))
        shutil.copytree(self.site.folder / "state", folder / "state", symlinks=True)
        return folder


def fork(ground: Ground, strike: Strike, folder: Path, without: str = "") -> int:
    """Let a gate live in a process of its own (`without` one of its mechanisms); its id."""
    child = os.fork()
    if child:
        return child
    code = BUG
    try:
        with (folder / "log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        settings = ground.settings_in(folder, strike.call in ON_THE_NETWORK)
        code = live(settings, ground.site.codes, strike, folder, without)
    finally:
        os._exit(code)


def read(strike: Strike, folder: Path, code: int) -> Life:
    """What became of it."""
    told = folder / "told"
    lines = told.read_bytes().splitlines() if told.exists() else []
    return Life(strike, folder, code, [msgspec.json.decode(line, type=Tale) for line in lines])


def lives(ground: Ground, strikes: Iterable[Strike], jobs: int, without: str = "") -> Iterator[Life]:
    """Let gates live, some at a time, each with its strike."""
    waiting, living = iter(strikes), dict[int, tuple[Strike, Path, float]]()
    try:
        while True:
            for strike in islice(waiting, jobs - len(living)):
                folder = ground.prepare(strike.call)
                living[fork(ground, strike, folder, without)] = strike, folder, time.monotonic()
            if not living:
                return
            for child, (strike, folder, began_mono) in list(living.items()):
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    del living[child]
                    yield read(strike, folder, os.waitstatus_to_exitcode(status))
                elif time.monotonic() - began_mono > LIFE_MAX_S:
                    os.kill(child, signal.SIGKILL)
            time.sleep(POLL_S)
    finally:
        for child, (strike, folder, _) in living.items():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            tidy(Life(strike, folder))


def tidy(life: Life) -> None:
    """Give back the memory that a life took."""
    for state in (life.folder / "state", life.folder / "again" / "state"):
        journal_path(state / FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(life.folder)
