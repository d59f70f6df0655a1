"""Two gates of one site and a real broker: who went in at one is inside at the other, also after it was away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support_gate import PATIENCE_S, Gate, amend, copy_site, readers_of
from support_mosquitto import Mosquitto, needs_mosquitto

from gate.demo.parts import wait_for
from gate.demo.site import DemoSite
from gate.model import EventKind

pytestmark = [needs_mosquitto, pytest.mark.slow]

DECIDED = (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)


@pytest.fixture
def pair(
    new_site: Callable[[], DemoSite], gate_of: Callable[[DemoSite], Gate], mosquitto: Mosquitto, tmp_path: Path,
) -> Iterator[tuple[Gate, Gate]]:
    """Gates `north` and `south` with hard anti-passback; no sensor, so that a grant's pulse is its passage."""
    made = new_site()
    for name in ("north", "south"):
        made.gate("central", "issue", "key", "--out", made.folder / f"{name}.pem", "--issuer", name,
                  "--purpose", "gate", "--issuers", made.folder / "issuers.json")
    made.publish()
    made.import_documents()
    gates = []
    for name in ("north", "south"):
        site = copy_site(made, tmp_path / name)
        amend(site, gate={"id": name}, contacts=[], portal={"pulse_s": 0.1}, mqtt=None,
              readers=[reader | {"repeat_s": 0} for reader in readers_of(site, "serial")],
              presence={"anti_passback": "hard", "key_file": site.folder / f"{name}.pem"})
        amend(site, mqtt={"host": "127.0.0.1", "port": mosquitto.port, "ack": "broker"})
        gates.append(gate_of(site))
    yield gates[0], gates[1]


def pass_at(gate: Gate, reader: str) -> str:
    """Show An's pass; the decision's reason, once what came of it is recorded."""
    seq = gate.last_seq() if gate.ledger.exists() else 0
    gate.scan(reader, "an-pass")
    decided = gate.wait_event(*DECIDED, after_seq=seq)
    if decided.kind == EventKind.ACCESS_GRANTED:
        gate.wait_event(EventKind.ACCESS_TAKEN, after_seq=decided.seq)
    return str(decided.data["reason"])


def wait_known(gate: Gate, by: str, place: str) -> None:
    """Wait until the ledger of `gate` holds that somebody went to `place`, as `by` saw."""
    def known() -> bool:
        with closing(sqlite3.connect(f"file:{gate.ledger}?mode=ro", uri=True)) as ledger:
            return (by, place) in ledger.execute("SELECT gate, place FROM move").fetchall()

    wait_for(f"{by}'s word of a passage to {place or 'the street'}", known, PATIENCE_S)


def test_who_is_inside_by_one_gate_is_kept_out_by_the_other_until_they_leave(pair: tuple[Gate, Gate]) -> None:
    north, south = pair
    for gate in pair:
        gate.start()
    area = "xuong-a"
    assert pass_at(north, "scanner-in") == "GRANTED"
    wait_known(south, "north", area)
    assert pass_at(south, "scanner-in") == "PASSBACK"

    north.kill()
    assert pass_at(south, "scanner-out") == "GRANTED"
    north.start()
    wait_known(north, "south", "")
    assert pass_at(north, "scanner-in") == "GRANTED"

    wait_known(south, "north", area)
    north.kill()
    south.kill()
    amend(south.site, mqtt=None)
    assert pass_at(south.start(), "scanner-in") == "PASSBACK"
