import socket
from pathlib import Path

import pytest

from gate.clock import SHIFT_START
from gate.model import Now
from gate.watchdog import Watchdog, notify, watchdog_interval_s


def at(mono: float) -> Now:
    return Now(SHIFT_START, mono)


def test_it_pets_once_per_interval_while_every_part_runs() -> None:
    sent: list[str] = []
    watchdog = Watchdog({"reader": lambda: 100.0}, 5.0, sent.append)
    for mono in (100, 101, 104.9, 105, 106, 110):
        watchdog.pet(at(mono))
    assert sent == ["WATCHDOG=1"] * 3


def test_one_stuck_part_stops_the_petting_until_it_runs_again() -> None:
    sent: list[str] = []
    shown = [100.0]
    watchdog = Watchdog({"reader": lambda: shown[0], "documents": lambda: 130.0}, 5.0, sent.append)
    watchdog.pet(at(130))
    assert sent == []
    assert watchdog.stuck(at(130)) == ["reader"]
    shown[0] = 130.0
    watchdog.pet(at(131))
    assert sent == ["WATCHDOG=1"]


def test_a_tolerated_part_is_missing_but_does_not_stop_the_petting() -> None:
    sent: list[str] = []
    watchdog = Watchdog({"ledger": lambda: 100.0}, 5.0, sent.append, tolerated={"ledger"})
    watchdog.pet(at(200))
    assert (sent, watchdog.stuck(at(200))) == (["WATCHDOG=1"], ["ledger"])


def test_without_a_watchdog_in_the_unit_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    sent: list[str] = []
    Watchdog({}, watchdog_interval_s(), sent.append).pet(at(0))
    assert sent == []


def test_the_interval_is_a_third_of_what_the_unit_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_interval_s() == 10.0


def test_systemd_hears_the_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_systemd_that_went_away_or_does_not_listen_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("WATCHDOG=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "deaf"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "deaf"))
        for _ in range(10_000):  # more than its queue takes
            notify("WATCHDOG=1")
