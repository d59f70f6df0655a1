"""What a change of 100 people in a large roster costs: on the wire, until it is in force, and beside decisions.

The broker is real and on this machine. `gate documents fetch` is a process of its own, as under the daemon; the time
until a change is in force begins when it is signed, and holds the sending and the start of that process. The daemon
looks for a new set each second, which comes on top. Decisions go on here while a process applies the change over and
over.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from bench.broker import broker
from bench.decision import AT, decisions
from bench.figure import Figure, Setup, cost, p50, p99
from bench.people import AREA, Issuer, holder, roster, token_key_file
from gate.central.document_root import init_repository
from gate.central.documents import publish
from gate.central.documents_broker import Sent, send_documents
from gate.clock import SystemClock
from gate.config import Mqtt
from gate.documents import ISSUERS, REVOCATIONS, ROSTER, SCHEDULES, load_documents
from gate.documents.fetching import low_priority
from gate.documents.importing import import_documents
from gate.documents.roads import FolderRoad
from gate.model import Now
from gate.token_key import read_token_key
from gate.view import View

MILLION, QUICK, CHANGED = 1_000_000, 5_000, 100
WIRE_MAX_KIB, IN_FORCE_MAX_S, APPLY_MAX_MS, PAUSE_MAX = 64, 4.0, 200.0, 2.0
CONFIG = """\
site: {{id: bench, token_key_file: {key}, area: {area}}}
gate: {{id: gate-1}}
state_dir: {folder}/state
documents: {{root_file: {folder}/repo/metadata/1.root.json, road: mqtt}}
mqtt: {{host: 127.0.0.1, port: {port}}}
clock: {{trust: always}}
pins: {{factory: mock}}
barrier: {{driver: relay, entry_pin: 17, exit_pin: 27}}
readers: [{{name: in, direction: entry, driver: serial, port: /dev/null}}]
"""


def run(setup: Setup) -> Iterator[Figure]:
    """A million people, of whom 100 change."""
    people, issuer = setup.runs(MILLION, QUICK), Issuer()
    key = token_key_file(setup)
    with TemporaryDirectory(dir=setup.folder) as made, broker(Path(made)) as port:
        folder = Path(made)
        mqtt = Mqtt(host="127.0.0.1", port=port)
        (folder / "gate.yaml").write_text(CONFIG.format(key=key, area=AREA, folder=folder, port=port))
        init_repository(folder / "repo", folder / "keys", datetime.now(UTC))
        drafts = {name: folder / name for name in (ROSTER, ISSUERS, REVOCATIONS, SCHEDULES)}
        shutil.copyfile(roster(setup, people), drafts[ROSTER])
        drafts[ISSUERS].write_bytes(issuer.document())
        drafts[REVOCATIONS].write_bytes(b'{"schema": "gate.revocations/1"}')
        drafts[SCHEDULES].write_bytes(b'{"schema": "gate.schedules/1", "schedules": {}}')
        _publish(folder, drafts, key)
        setup.say("the whole roster goes to the gate")
        _send(folder, mqtt)
        _fetch(folder)
        shutil.copytree(folder / "state", folder / "before", symlinks=True, copy_function=os.link)
        _change(drafts[ROSTER], people)
        setup.say(f"{CHANGED} people change")
        began = time.perf_counter()
        _publish(folder, drafts, key)
        published = time.perf_counter()
        sent = _send(folder, mqtt)
        _fetch(folder)
        in_force_s = time.perf_counter() - published
        yield cost(f"{CHANGED} changes of {people:,}: to the broker", sent.payload_bytes / 1024, WIRE_MAX_KIB,
                   unit="KiB", runs=1, limit=1.0)
        yield cost(f"{CHANGED} changes of {people:,}: signed to in force", in_force_s, IN_FORCE_MAX_S, unit="s", runs=1,
                   limit=1.0)
        setup.say(f"to compare and sign them took {published - began:.1f} s")
        documents = load_documents(folder / "state", read_token_key(key))
        decide = decisions(issuer, View(AREA, ZoneInfo("Asia/Ho_Chi_Minh"), documents), Now(AT, 0.0), people)
        yield from _beside(setup, folder, key, decide)


def _beside(setup: Setup, folder: Path, key: Path, decide: Callable[[], object]) -> Iterator[Figure]:
    """Decisions while another process applies the change over and over, and while none does."""
    times = setup.runs(60, 2)
    rest = _taken(decide, lambda count: count < setup.runs(20_000, 100))
    process = subprocess.Popen([sys.executable, "-m", "bench.documents", str(folder), str(key), str(times)],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it has begun
    busy = _taken(decide, lambda _: process.poll() is None)
    applied_ms = [float(line) for line in process.stdout]
    rest += _taken(decide, lambda count: count < setup.runs(20_000, 100))
    yield cost(f"apply {CHANGED} changes, p50", p50(applied_ms), APPLY_MAX_MS, runs=times, limit=1.0)
    yield cost(f"apply {CHANGED} changes, p99", p99(applied_ms), APPLY_MAX_MS, runs=times, limit=1.0)
    yield cost("decision while changes are applied, p99", p99(busy) * 1000, p99(rest) * 1000, runs=len(busy),
               limit=PAUSE_MAX)


def _taken(task: Callable[[], object], go_on: Callable[[int], bool]) -> list[float]:
    taken: list[float] = []
    while go_on(len(taken)):
        began = time.perf_counter()
        task()
        taken.append(time.perf_counter() - began)
    return taken


def apply_again(folder: Path, key: Path, times: int) -> None:
    """Import the change into a copy of the state before it, so many times; prints what each took."""
    low_priority()
    token_key, now = read_token_key(key), SystemClock().now()
    print(flush=True)
    for _ in range(times):
        state = folder / "again"
        shutil.copytree(folder / "before", state, symlinks=True, copy_function=os.link)
        began = time.perf_counter()
        import_documents(FolderRoad(folder / "repo"), state, folder / "repo" / "metadata" / "1.root.json", token_key,
                         now, reread=False)
        print((time.perf_counter() - began) * 1000, flush=True)
        shutil.rmtree(state)


def _publish(folder: Path, drafts: dict[str, Path], key: Path) -> None:
    publish(folder / "repo", folder / "keys", drafts, read_token_key(key), datetime.now(UTC).replace(microsecond=0))


def _send(folder: Path, mqtt: Mqtt) -> Sent:
    return send_documents(folder / "repo", folder / "keys", mqtt, "bench", SystemClock())


def _fetch(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "gate", "documents", "fetch", "--config", str(folder / "gate.yaml")],
                   check=True, stdout=subprocess.DEVNULL)


def _change(draft: Path, people: int) -> None:
    """Another company for every so-manieth holder."""
    with closing(sqlite3.connect(draft)) as db:
        db.executemany("UPDATE holder SET company = 'another' WHERE id = ?",
                       [(holder(number),) for number in range(0, people, people // CHANGED)])
        db.commit()


if __name__ == "__main__":
    apply_again(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
