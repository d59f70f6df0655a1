"""The Debian package under a real systemd, all restrictions in force: `make test-install`.

One machine lives through it all, in the order of this file; every test leaves a gate behind that runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import segno
from support_machine import PATIENCE_S, Machine, booted

from gate.demo.parts import wait_for
from gate.demo.site import ENTRY_PIN, EXIT_PIN, DemoSite

FOLDER = os.environ.get("GATE_INSTALL")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="installs into a container: make test-install"),
]
DIST = Path(__file__).resolve().parents[2] / "dist"
CONFIG = f"""\
site: {{id: demo, area: xuong-a, token_key_file: token.key}}
gate: {{id: gate-1}}
state_dir: /var/lib/gate
documents: {{root_file: root.json}}
clock: {{trust: always}}
pins: {{factory: mock, trace: /var/lib/gate/pins.trace}}
barrier: {{driver: relay, entry_pin: {ENTRY_PIN}, exit_pin: {EXIT_PIN}}}
readers:
  - {{name: camera-in, direction: entry, driver: camera, socket: /run/gate-camera/socket}}
  - {{name: scanner-in, direction: entry, driver: serial, port: /run/scanner, repeat_s: 0}}
portal: {{pulse_s: 0.05, passage_s: 0.1}}
"""
CAMERA = "[Service]\nEnvironment=GATE_CAMERA=folder:/srv/camera\n"


class Installed:
    """A machine with a gate on it that runs, and the codes that its site knows."""

    def __init__(self, machine: Machine, site: DemoSite) -> None:
        self.machine, self.site = machine, site

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The ledger's events of these kinds (none named: of all)."""
        printed = self.machine.run("runuser -u gate -- gate events export --config /etc/gate/gate.yaml")
        events = [json.loads(line)["event"] for line in printed.splitlines()]
        return [event for event in events if not kinds or event["type"].rpartition(".")[2] in kinds]

    def wait_event(self, kind: str, after: int) -> dict[str, Any]:
        """The first event of a kind beyond the first `after` ones of it."""
        try:
            wait_for(kind, lambda: len(self.events(kind)) > after, PATIENCE_S)
        except Exception:
            print(self.machine.journal())
            raise
        return self.events(kind)[after]

    def assert_decides(self) -> None:
        """Hold a good code to the scanner, and see it granted."""
        before = len(self.events("AccessGranted"))
        self.machine.scan(self.site.codes["an-pass"])
        assert self.wait_event("AccessGranted", before)["data"]["reader"] == "scanner-in"

    def assert_locked(self) -> None:
        """No relay is left on."""
        level: dict[str, str] = {}
        for line in (self.machine.root / "var/lib/gate/pins.trace").read_text().splitlines():
            _, pin, level[pin] = line.split()
        assert level.get(str(ENTRY_PIN)) != "1"

    def main_pid(self) -> str:
        return self.machine.property("gate", "MainPID")


def newest_deb() -> Path:
    return max(DIST.glob("gate_*_amd64_py3.11.deb"), key=lambda file: file.stat().st_mtime)


def repacked(folder: Path, version: str, defect: str = "") -> Path:
    """The package under another version, its daemon with a defect or without."""
    tree = folder / version
    subprocess.run(["dpkg-deb", "--raw-extract", str(newest_deb()), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text("".join(
        f"Version: {version}\n" if line.startswith("Version:") else f"{line}\n" for line in lines))
    for name in ("__init__", "app"):
        (module,) = tree.glob(f"opt/gate/lib/*/site-packages/gate/{name}.py")
        text = module.read_text()
        module.write_text(text.replace('__version__ = "0.1.0"', f'__version__ = "{version}"') if name == "__init__"
                          else text + defect)
    file = folder / f"gate_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(file)], check=True,
                   stdout=subprocess.DEVNULL)
    return file


@pytest.fixture(scope="module")
def gate(made_site: DemoSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Install, configure and start, as docs/install.md has it."""
    assert FOLDER
    site = made_site
    with booted(Path(FOLDER) / "root.tar", tmp_path_factory.mktemp("install")) as machine:
        shutil.copy(newest_deb(), machine.root / "srv/gate.deb")
        machine.run("dpkg --install /srv/gate.deb")
        shutil.copytree(site.folder / "repo", machine.root / "srv/repo")
        for name in ("token.key", "root.json"):
            shutil.copy(site.folder / name, machine.root / "etc/gate" / name)
        (machine.root / "etc/gate/gate.yaml").write_text(CONFIG)
        machine.run("chgrp -R gate /etc/gate")
        machine.run("chmod 640 /etc/gate/token.key /etc/gate/gate.yaml")
        (machine.root / "srv/camera").mkdir()
        machine.run("install -d /etc/systemd/system/gate-camera.service.d")
        (machine.root / "etc/systemd/system/gate-camera.service.d/camera.conf").write_text(CAMERA)
        machine.run("systemctl daemon-reload")
        machine.run("runuser -u gate -- gate documents import /srv/repo --config /etc/gate/gate.yaml")
        machine.plug_scanner()
        machine.run("systemctl enable --now gate-camera gate")
        yield Installed(machine, site)


def test_installed_gate_runs_confined_and_decides_what_a_scanner_reads(gate: Installed) -> None:
    gate.assert_decides()
    assert gate.machine.property("gate", "WatchdogUSec") == "30s"
    status = (gate.machine.run(f"cat /proc/{gate.main_pid()}/status")).splitlines()
    assert {"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"} <= set(status)
    gate.assert_locked()


def test_code_before_the_camera_unit_is_decided(gate: Installed) -> None:
    before = len(gate.events("AccessGranted"))
    image = gate.machine.root / "srv/camera/0001.part"
    segno.make_qr(gate.site.codes["an-pass"], error="m").save(str(image), kind="png", scale=6, border=4)
    image.rename(image.with_suffix(".png"))
    assert gate.wait_event("AccessGranted", before)["data"]["reader"] == "camera-in"
    image.with_suffix(".png").unlink()


def test_camera_unit_has_no_network_and_sees_no_key(gate: Installed) -> None:
    pid = gate.machine.property("gate-camera", "MainPID")
    seen = gate.machine.try_run(f"nsenter --mount --target {pid} -- ls -A /etc/gate /var/lib")
    assert "token.key" not in seen.stdout
    links = gate.machine.run(f"nsenter --net --target {pid} -- cat /proc/net/dev").splitlines()[2:]
    assert [link.split(":")[0].strip() for link in links] == ["lo"]


def test_killed_daemon_is_back_by_itself_and_locked(gate: Installed) -> None:
    pid = gate.main_pid()
    gate.machine.run("systemctl kill --kill-whom=main --signal=KILL gate")
    wait_for("another daemon", lambda: gate.main_pid() not in ("0", pid), PATIENCE_S)
    gate.machine.wait("the gate", "systemctl is-active gate", "active")
    gate.assert_locked()
    gate.assert_decides()


def test_frozen_daemon_is_restarted_by_the_watchdog(gate: Installed) -> None:
    pid = gate.main_pid()
    gate.machine.run("systemctl kill --kill-whom=main --signal=STOP gate")
    wait_for("another daemon", lambda: gate.main_pid() not in ("0", pid), PATIENCE_S)
    gate.machine.wait("the gate", "systemctl is-active gate", "active")
    assert "Watchdog timeout" in gate.machine.run("journalctl --no-pager --unit=gate --output=cat")
    gate.assert_decides()


def test_upgrade_runs_the_new_version_with_the_same_config_and_ledger(gate: Installed, tmp_path: Path) -> None:
    before = gate.events()
    shutil.copy(repacked(tmp_path, "0.1.1"), gate.machine.root / "srv/new.deb")
    gate.machine.run("dpkg --install /srv/new.deb")
    assert gate.machine.run("gate --version") == "gate 0.1.1"
    assert gate.events()[:len(before)] == before
    gate.machine.run("runuser -u gate -- gate events verify --config /etc/gate/gate.yaml")
    gate.assert_decides()


@pytest.mark.parametrize("defect", [
    "\n\ndef run(settings: config.Config, config_file: Path) -> None:\n    raise PartError('ends at its start')\n",
    "\n\ndef run(settings, config_file):\n    notify('READY=1')\n    raise PartError('ends when it is ready')\n",
], ids=["never ready", "ready but dying"])
def test_upgrade_that_does_not_become_healthy_is_rolled_back(gate: Installed, tmp_path: Path, defect: str) -> None:
    shutil.copy(repacked(tmp_path, "0.1.2", defect), gate.machine.root / "srv/bad.deb")
    installed = gate.machine.try_run("dpkg --install /srv/bad.deb")
    assert installed.returncode != 0
    assert "version 0.1.2 did not become healthy" in installed.stderr
    assert gate.machine.run("gate --version") == "gate 0.1.1"
    gate.machine.wait("the gate", "systemctl is-active gate", "active")
    gate.assert_decides()
    again = gate.machine.try_run("dpkg --configure gate")
    assert again.returncode != 0, "what was rolled back must not pass for the new version"


def test_version_before_installs_over_one_that_was_rolled_back(gate: Installed) -> None:
    gate.machine.run("dpkg --install /srv/new.deb")
    assert gate.machine.run("dpkg-query -W -f ${db:Status-Status} gate") == "installed"
    gate.assert_decides()


def test_removed_package_leaves_config_keys_and_ledger_and_nothing_that_runs(gate: Installed) -> None:
    kept = [gate.machine.root / place
            for place in ("etc/gate/gate.yaml", "etc/gate/token.key", "var/lib/gate/ledger.db")]
    config = kept[0].read_text()
    gate.machine.run("dpkg --remove gate")
    assert [place.exists() for place in kept] == [True, True, True]
    assert kept[0].read_text() == config
    assert not (gate.machine.root / "opt/gate").exists()
    assert gate.machine.try_run("systemctl is-active gate gate-camera").stdout.split() == ["inactive", "inactive"]
    gate.assert_locked()
