"""SIGKILL to the camera's process, again and again while codes are in view: nobody false is let in, and it reads again.

    python -m tests.proofs.camera_kills --kills 1000 [--seed 1]

A daemon of its own runs the camera, which looks at a video that begins with a forged pass and shows An's good one
later, amid noise; a scanner beside it reads forged passes without end. Timed is the kill to the first decision on what
the next process read, by the time that the ledger gives it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random

import av
import segno
from PIL import Image

from gate import wire
from gate.demo.parts import free_port, wait_for
from gate.demo.site import DemoSite, make_site
from gate.ledger import LedgerReader
from gate.model import EventKind
from tests.support_gate import PATIENCE_S, Gate, amend, assert_every_pulse_has_its_record, readers_of

CAMERA, SCANNER = "camera-in", "scanner-in"
DECIDED = (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)
READS_MAX_S = 0.5
LIVES_S = 1.5
"""A camera's process is killed at any moment up to so long after it has read something."""
SIZE, RATE, FORGED_FRAMES, GOOD_FRAMES, FRAMES = (1280, 720), 15, 8, range(15, 22), 45


@dataclass
class Tally:
    """What came of the kills."""

    counts: Counter[str] = field(default_factory=lambda: Counter({"false grants": 0}))
    back_s: list[float] = field(default_factory=list)
    """From a kill to the next process's connection."""
    reads_s: list[float] = field(default_factory=list)
    """From a kill to the decision on what the next process read."""

    @property
    def late(self) -> int:
        """How often it took longer than it may."""
        return sum(taken_s > READS_MAX_S for taken_s in self.reads_s)


def forged(code: str) -> str:
    """A pass whose signature nobody made: one letter of it is another."""
    return code[:-3] + ("A" if code[-3] != "A" else "B") + code[-2:]


def film(path: Path, good: str) -> None:
    """What the camera sees: a forged pass, noise, a good one, noise."""
    rng = Random(1)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE)
        stream.bit_rate = 20_000_000
        views = [Image.effect_noise(SIZE, 60) for _ in range(3)]
        for number in range(FRAMES):
            view = views[rng.randrange(len(views))].copy()
            if number < FORGED_FRAMES or number in GOOD_FRAMES:
                symbol = segno.make_qr(forged(good) if number < FORGED_FRAMES else good, error="m")
                code = Image.new("1", symbol.symbol_size(border=4), 1)
                code.putdata([not module for row in symbol.matrix_iter(border=4) for module in row])
                view.paste(code.convert("L").resize((500, 500)), (rng.randrange(700), rng.randrange(200)))
            container.mux(stream.encode(av.VideoFrame.from_image(view.convert("RGB"))))
        container.mux(stream.encode())


class Watched:
    """A gate whose camera is killed; `rng` says when."""

    def __init__(self, site: DemoSite, rng: Random) -> None:
        video = site.folder / "view.mp4"
        film(video, site.codes["an-pass"])
        camera, scanner = readers_of(site, "camera") + [r for r in readers_of(site) if r["name"] == SCANNER]
        amend(site, mqtt=None, admission={"lockout_s": 0.001, "lockout_max_s": 0.001},
              readers=[camera | {"source": f"video:{video}"}, scanner | {"repeat_s": 0}])
        self.gate = Gate(site)
        self.rng = rng
        self.tally = Tally()
        self.forged = forged(site.codes["an-pass"])

    def kill_often(self, kills: int) -> Tally:
        """Kill the camera's process so often; what came of it."""
        with closing(self.gate), closing(self._start()) as ledger:
            self._read_after(ledger, 0)
            holder = self._an()
            for _ in range(kills):
                self._load(self.rng.uniform(0, LIVES_S))
                seq = max((row.seq for row in ledger.recent(1)), default=0)
                victim = self.camera()
                killed_at = time.time()
                os.kill(victim, signal.SIGKILL)
                back, read = self._read_after(ledger, seq)
                self.tally.counts["kills"] += 1
                self.tally.back_s.append(_moment(back) - killed_at)
                self.tally.reads_s.append(_moment(read) - killed_at)
            pulses = self.gate.pulses()  # before the events: a pulse that comes meanwhile has its record among them
            events = self.gate.events()
            granted = [event for event in events if event.kind == EventKind.ACCESS_GRANTED]
            self.tally.counts["grants to the one good pass"] = sum(
                event.data["holder"] == holder and event.data["reader"] == CAMERA for event in granted)
            self.tally.counts["false grants"] = len(granted) - self.tally.counts["grants to the one good pass"]
            self.tally.counts["forged passes denied"] = sum(event.kind == EventKind.ACCESS_DENIED for event in events)
            assert_every_pulse_has_its_record(pulses, events)
        return self.tally

    def camera(self) -> int:
        """The process in use: the one that listens (another waits)."""
        def listening() -> list[int]:
            return [pid for pid in self.gate.children("camera") if _socket_of(pid).exists()]

        wait_for("the camera's process", listening, PATIENCE_S)
        return listening()[0]

    def _start(self) -> LedgerReader:
        self.gate.start()
        return LedgerReader(self.gate.ledger)

    def _an(self) -> str:
        """The holder of the good pass, as the first grant names them: only that pass was shown by then."""
        return str(self.gate.wait_event(EventKind.ACCESS_GRANTED).data["holder"])

    def _load(self, seconds: float) -> None:
        until_mono = time.monotonic() + seconds
        while time.monotonic() < until_mono:
            self.gate.send(SCANNER, self.forged.encode())
            time.sleep(0.02)

    def _read_after(self, ledger: LedgerReader, seq: int) -> tuple[wire.Event, wire.Event]:
        """The camera's return after `seq`, and the first decision on what it read then."""
        found: list[wire.Event] = []

        def read() -> bool:
            events = [wire.read_event(row.body) for row in ledger.rows_after(seq, 10_000)]
            back = [event for event in events if event.kind == EventKind.READER_BACK] if seq else events[:1]
            found[:] = [*back[:1], *(event for event in events if back and event.seq > back[0].seq
                                     and event.kind in DECIDED and event.data["reader"] == CAMERA)]
            return len(found) > 1

        wait_for("a decision on what the camera read", read, PATIENCE_S)
        return found[0], found[1]


def _moment(event: wire.Event) -> float:
    return datetime.fromisoformat(event.time).timestamp()


def _socket_of(pid: int) -> Path:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return Path(words[words.index("--socket") + 1])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.camera_kills", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder, "site"), free_port(), partial(print, file=sys.stderr))
        tally = Watched(site, Random(args.seed)).kill_often(args.kills)
    for name, count in tally.counts.items():
        print(f"{name:40} {count}")
    for name, taken_s in (("kill to connection", tally.back_s), ("kill to decision", tally.reads_s)):
        print(f"{name:40} median {percentile(taken_s, 0.5):.3f} s, 99 % {percentile(taken_s, 0.99):.3f} s, "
              f"worst {max(taken_s):.3f} s")
    print(f"{f'decisions later than {READS_MAX_S} s':40} {tally.late}")
    return 1 if tally.counts["false grants"] or percentile(tally.reads_s, 0.99) > READS_MAX_S else 0


if __name__ == "__main__":
    sys.exit(main())
