"""`gate backup` and `gate restore`: another machine becomes the gate, with a history of its own."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support_gate import Gate, amend

from gate import wire
from gate.cli import main
from gate.demo.site import DemoSite
from gate.ledger import FILE_NAME, LedgerReader
from gate.ledger.copying import begin_from
from gate.ledger.database import open_database
from gate.model import EventKind

DECIDED = (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)


def rows_of(ledger: Path) -> list[tuple[int, bytes]]:
    reader = LedgerReader(ledger)
    try:
        return [(row.seq, row.body) for row in reader.rows_after(0, 1000)]
    finally:
        reader.close()


def test_another_machine_becomes_the_gate_with_a_new_epoch_and_the_old_events_beside_it(
    site: DemoSite, gate_of: Callable[[DemoSite], Gate], tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    amend(site, mqtt=None)
    gate = gate_of(site).start()
    gate.scan("scanner-in", "an-pass")
    granted = gate.wait_event(*DECIDED)
    out = tmp_path / "gate-1.backup"
    assert main(["backup", "--config", str(site.config), "--out", str(out), "--json"]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    gate.stop()
    before = rows_of(gate.ledger)

    root = tmp_path / "new"
    assert main(["restore", str(out), "--root", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["gate"], told["unacknowledged"]) == ("gate-1", granted.seq)
    there = root / str(site.folder).lstrip("/")
    for name in ("gate.yaml", "token.key", "root.json"):
        assert (there / name).read_bytes() == (site.folder / name).read_bytes()
    assert (there / "state/documents/current").readlink() == (site.folder / "state/documents/current").readlink()
    (old,) = (there / "state").glob("ledger-until-*.db")
    assert rows_of(old) == before[:granted.seq]
    renewed, first = LedgerReader(there / "state" / FILE_NAME), LedgerReader(gate.ledger)
    assert renewed.epoch != first.epoch
    assert renewed.rows_after(0, 1) == []
    renewed.close(), first.close()


def test_new_ledger_forgets_nothing_but_its_events(tmp_path: Path) -> None:
    source = wire.source("demo", "gate-1")
    with closing(open_database(tmp_path / "old.db", source)) as old, old:
        tables = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables - {"meta", "event"}:
            columns = old.execute(f"PRAGMA table_info({table})").fetchall()
            old.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", [1] * len(columns))
        old.execute("INSERT INTO event VALUES (1, 'GateStarted', x'00', x'00')")
    assert begin_from(tmp_path / "old.db", tmp_path / "new.db", source) == 1
    with closing(open_database(tmp_path / "new.db", source)) as new:
        counts = {table: new.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables - {"meta"}}
    assert counts == dict.fromkeys(tables - {"meta"}, 1) | {"event": 0}


def test_restored_gate_decides_by_the_same_documents(
    site: DemoSite, gate_of: Callable[[DemoSite], Gate], tmp_path: Path,
) -> None:
    amend(site, mqtt=None)
    gate = gate_of(site).start()
    gate.stop()
    out = tmp_path / "gate.backup"
    assert main(["backup", "--config", str(site.config), "--out", str(out)]) == 0
    (site.folder / "state").rename(tmp_path / "dead-state")
    dead = tmp_path / "dead"
    dead.mkdir()
    for name in ("gate.yaml", "token.key", "root.json"):
        (site.folder / name).rename(dead / name)
    assert main(["restore", str(out)]) == 0
    gate.start()
    gate.scan("scanner-in", "binh-cccd")
    assert gate.wait_event(*DECIDED).kind == EventKind.ACCESS_GRANTED


def test_machine_that_is_a_gate_already_is_left_as_it_is(site: DemoSite, tmp_path: Path) -> None:
    out = tmp_path / "gate.backup"
    amend(site, mqtt=None)
    assert main(["backup", "--config", str(site.config), "--out", str(out)]) == 0
    config = site.config.read_text()
    assert main(["restore", str(out)]) == 2
    assert main(["backup", "--config", str(site.config), "--out", str(out)]) == 2
    assert site.config.read_text() == config


def test_dry_run_puts_nothing_anywhere(site: DemoSite, tmp_path: Path) -> None:
    out = tmp_path / "gate.backup"
    amend(site, mqtt=None)
    assert main(["backup", "--config", str(site.config), "--out", str(out)]) == 0
    assert main(["restore", str(out), "--root", str(tmp_path / "new"), "--dry-run"]) == 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["documents/../../escaped", "documents/link"])
def test_archive_that_leads_out_of_its_folder_is_refused(site: DemoSite, tmp_path: Path, name: str) -> None:
    out, bad = tmp_path / "gate.backup", tmp_path / "bad.backup"
    amend(site, mqtt=None)
    assert main(["backup", "--config", str(site.config), "--out", str(out)]) == 0
    with tarfile.open(out) as good, tarfile.open(bad, "w:gz") as forged:
        for member in good:
            forged.addfile(member, good.extractfile(member))
        extra = tarfile.TarInfo(name)
        if name.endswith("link"):
            extra.type, extra.linkname = tarfile.SYMTYPE, "/etc"
        else:
            extra.size = 1
        forged.addfile(extra, io.BytesIO(b"x"))
    assert main(["restore", str(bad), "--root", str(tmp_path / "new")]) == 2
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00"])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    assert main(["restore", str(file)]) == 2
