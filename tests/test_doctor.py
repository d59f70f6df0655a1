"""`gate doctor`: what is wrong with a machine is found, with a fix; what is right is not complained of."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support_gate import Centre, amend
from support_mosquitto import needs_mosquitto

from gate import config
from gate.cli import main
from gate.config.reading import load
from gate.demo.site import GATE, DemoSite
from gate.doctor import CHECKS, Finding, Machine
from gate.doctor.machine import THROTTLED
from gate.wiring import firmware_lines, wires

EXAMPLE = Path(__file__).resolve().parents[1] / "config" / "gate.example.yaml"
GROUPS = "gate:x:900:\ngpio:x:901:gate\ndialout:x:20:gate\ninput:x:104:gate\n"


@pytest.fixture
def settings() -> config.Config:
    return load(EXAMPLE, files=False)


@pytest.fixture
def machine(tmp_path: Path, settings: config.Config) -> Machine:
    """A Pi on which everything is as it should be, as far as files show it."""
    lines = firmware_lines(wires(settings))
    for name, text in {
        "etc/group": GROUPS, "dev/gpiochip0": "", "dev/rtc0": "", "boot/firmware/config.txt": "\n".join(lines),
        THROTTLED: "0", "sys/class/watchdog/watchdog0/state": "active",
        "dev/serial/by-id/usb-Honeywell_Barcode_Scanner_0001-if00": "",
        "dev/serial/by-id/usb-Honeywell_Barcode_Scanner_0002-if00": "",
        "dev/input/by-id/usb-Numeric_Keypad-event-kbd": "", "var/lib/gate/ledger.db": "",
    }.items():
        write(tmp_path, name, text)
    return Machine(tmp_path, "gate")


def write(root: Path, name: str, text: str) -> None:
    file = root / name.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(check: str, settings: config.Config, machine: Machine) -> list[Finding]:
    return list(CHECKS[check](settings, machine))


@pytest.mark.parametrize("check", ["groups", "firmware", "readers", "power", "disk"])
def test_machine_that_is_as_it_should_be_is_not_complained_of(
    check: str, settings: config.Config, machine: Machine,
) -> None:
    assert found(check, settings, machine) == []


@pytest.mark.parametrize(("check", "name", "text", "seen", "fix"), [
    ("groups", "etc/group", GROUPS.replace("20:gate", "20:"), "group dialout", "usermod -aG dialout"),
    ("groups", "etc/group", "root:x:0:\n", "no user gate", "apt install"),
    ("firmware", "boot/firmware/config.txt", "gpio=17,27=op,dl", "gpio=17,27=op,dh", "gate wiring --firmware"),
    ("power", THROTTLED, "50005", "under-voltage now", "5.1 V"),
    ("power", THROTTLED, "50000", "under-voltage since", "5.1 V"),
    ("watchdog", "sys/class/watchdog/watchdog0/state", "inactive", "hardware watchdog", "RuntimeWatchdogSec=15"),
    ("disk", "sys/block/mmcblk0/device/life_time", "0x02 0x0a", "100 % of its life", "gate backup"),
])
def test_what_is_wrong_is_found_with_its_fix(
    settings: config.Config, machine: Machine, check: str, name: str, text: str, seen: str, fix: str,
) -> None:
    write(machine.root, name, text)
    findings = [finding for finding in found(check, settings, machine) if seen in finding.seen]
    assert findings
    assert fix in findings[0].fix


@pytest.mark.parametrize(("check", "gone", "seen"), [
    ("readers", "dev/serial/by-id/usb-Honeywell_Barcode_Scanner_0002-if00", "scanner-out"),
    ("pins", "dev/gpiochip0", "/dev/gpiochip*"),
    ("clock", "dev/rtc0", "without power"),
])
def test_what_is_not_there_is_named(
    settings: config.Config, machine: Machine, check: str, gone: str, seen: str,
) -> None:
    (machine.root / gone).unlink()
    assert any(seen in finding.seen for finding in found(check, settings, machine))


def doctor(site: DemoSite, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """The findings of a real look at this machine, by check."""
    capsys.readouterr()
    assert main(["doctor", "--config", str(site.config), "--json", *options]) in (0, 1)
    report = json.loads(capsys.readouterr().out.splitlines()[0])
    return {check["check"]: check["findings"] for check in report["checks"]}


@needs_mosquitto
def test_broker_that_lets_the_gate_do_all_it_must_is_good(
    site: DemoSite, centre: Centre, capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor(site, capsys)["broker"] == []


@needs_mosquitto
def test_broker_that_refuses_a_topic_is_found_out_with_the_line_that_mends_it(
    site: DemoSite, capsys: pytest.CaptureFixture[str],
) -> None:
    acl = site.folder / "mosquitto.acl"
    acl.write_text(acl.read_text().replace(f"{GATE}/up/#", f"{GATE}/up/status"))
    centre = Centre(site)
    try:
        centre.start()
        (finding,) = doctor(site, capsys)["broker"]
    finally:
        centre.close()
    assert "topic write" in finding["fix"]


def test_broker_that_is_away_and_documents_that_are_not_there_are_faults(
    site: DemoSite, capsys: pytest.CaptureFixture[str],
) -> None:
    (site.folder / "state/documents/current").unlink()
    report = doctor(site, capsys)
    assert "does not take us" in report["broker"][0]["seen"]
    assert "no documents" in report["documents"][0]["seen"]


def test_bundle_holds_report_and_log_and_no_key(
    site: DemoSite, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    amend(site, mqtt=None)
    doctor(site, capsys, "--bundle", str(tmp_path / "help.tar.gz"))
    with tarfile.open(tmp_path / "help.tar.gz") as archive:
        names = archive.getnames()
        contents = b"".join(archive.extractfile(name).read() for name in names)  # type: ignore[union-attr]
    assert set(names) == {"doctor.json", "machine.json", "gate.yaml", "journal.txt", "units.txt"}
    assert (site.folder / "token.key").read_bytes().strip() not in contents
