"""The systemd units: systemd accepts them, they confine, and they leave the daemon what it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gate.cli import main

UNITS = Path(__file__).resolve().parents[1] / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAM = re.compile(r"/opt/gate(-central)?/bin/gate")
EXPOSURE_MAX = {"gate.service": 14, "gate@.service": 14, "gate-camera.service": 5, "gate-camera@.service": 5}
"""Tenths on the scale of `systemd-analyze security` (0 confined, 100 not); the other units: 15."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def settings(unit: str, key: str) -> list[str]:
    """Every value that a unit gives `key`, in order, continued lines joined."""
    text = (UNITS / unit).read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def system_calls(name: str) -> set[str]:
    """What a word of SystemCallFilter= stands for, groups within groups included."""
    if not name.startswith("@"):
        return {name}
    words = [line.strip() for line in analyze("syscall-filter", name).stdout.splitlines()[1:]]
    return {call for word in words if word and not word.startswith("#") for call in system_calls(word)}


def allowed_system_calls(unit: str) -> set[str]:
    """SystemCallFilter= as systemd.exec(5) adds it up: line by line, `~` takes away."""
    allowed: set[str] = set()
    for line in settings(unit, "SystemCallFilter"):
        calls = {call for word in line.removeprefix("~").split() for call in system_calls(word)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_systemd_accepts_the_unit_and_finds_it_confined(unit: str, tmp_path: Path) -> None:
    for path in UNITS.glob("*.service"):
        # The program and the template's instance as they are on a gate.
        text = PROGRAM.sub("/bin/true", path.read_text(encoding="utf-8"))
        (tmp_path / path.name.replace("@", "@north")).write_text(text, encoding="utf-8")
    file = str(tmp_path / unit.replace("@", "@north"))
    verified = analyze("verify", "--man=no", file)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX.get(unit, 15)}", file)
    assert security.returncode == 0, security.stdout


@pytest.mark.parametrize("unit", SERVICES)
def test_every_command_of_a_unit_is_one_that_gate_has(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in settings(unit, "Exec[A-Za-z]+"):
        program, *words = line.split()
        options = {word for word in words if word.startswith("--")}
        command = words[:next(at for at, word in enumerate(words) if word.startswith("--"))]
        with pytest.raises(SystemExit) as left:
            main([*command, "--help"])
        assert PROGRAM.fullmatch(program)
        assert left.value.code == 0
        assert options <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@needs_systemd
def test_the_daemon_cannot_set_the_clock_and_may_ask_it_where_another_service_keeps_it() -> None:
    asking = {"adjtimex", "clock_adjtime"}
    assert not asking & allowed_system_calls("gate.service")
    assert settings("gate.service", "ProtectClock") == ["yes"]
    assert settings("other-clock.conf", "ProtectClock") == ["no"], "it would shut these out again"
    assert set(settings("other-clock.conf", "SystemCallFilter")[0].split()) == asking


@needs_systemd
@pytest.mark.parametrize("unit", ["gate.service", "gate-camera.service"])
def test_a_camera_may_confine_itself(unit: str) -> None:
    assert {"seccomp", "prctl", "prlimit64"} <= allowed_system_calls(unit)


@needs_systemd
def test_the_process_that_fetches_documents_may_let_others_go_first() -> None:
    assert "setpriority" in allowed_system_calls("gate.service")


def test_a_stick_is_imported_without_a_network_and_mounted_for_reading_only() -> None:
    assert settings("gate-usb.service", "PrivateNetwork") == ["yes"]
    assert settings("gate-usb.service", "RequiresMountsFor") == settings("media-gate.mount", "Where")
    assert settings("media-gate.mount", "Options") == ["ro,nosuid,nodev,noexec"]
    assert "gate-usb.service" in (UNITS / "90-gate-usb.rules").read_text(encoding="utf-8")


def test_exits_outlive_a_restart_and_outputs_are_made_safe_after_every_end() -> None:
    assert settings("gate.service", "RemoveIPC") == ["no"], "/dev/shm holds the journal of exits"
    assert not settings("gate.service", "PrivateIPC")
    assert not settings("gate.service", "DynamicUser"), "it would imply RemoveIPC"
    assert settings("gate.service", "ExecStopPost") == ["/opt/gate/bin/gate outputs safe --config /etc/gate/%N.yaml"]
    assert settings("gate.service", "Restart") == ["always"]


def test_the_camera_has_no_network_and_sees_no_key_and_no_ledger() -> None:
    unit = "gate-camera.service"
    assert settings(unit, "PrivateNetwork") == ["yes"]
    assert settings(unit, "User") != settings("gate.service", "User")
    assert settings(unit, "InaccessiblePaths") == ["-/etc/gate -/var/lib"]
    assert settings(unit, "TemporaryFileSystem") == ["/dev/shm"]


def test_a_further_lane_is_the_same_unit_under_its_own_name() -> None:
    for unit in ("gate", "gate-camera"):
        assert (UNITS / f"{unit}@.service").read_bytes() == (UNITS / f"{unit}.service").read_bytes()
