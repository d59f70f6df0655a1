"""Makes a demonstration site in one folder, by the same commands that a real site is made with."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gate.errors import GateError, UsageError

MARKER = ".gate-demo"
SITE, GATE, OPERATOR = "demo", "gate-1", "demo-operator"
ENTRY_PIN, EXIT_PIN = 17, 27

PEOPLE = """\
ho_ten,ngay_sinh,cccd,qid,cong_ty,khu_vuc,hieu_luc_den
Nguyễn Thị An,1987-01-18,079187000018,162979388586171100,Dệt may Sao Mai,xuong-a,
Trần Văn Bình,1990-01-01,079090000010,162979388586171101,Dệt may Sao Mai,xuong-a,
Lê Minh Chi,1995-05-20,079095000029,162979388586171102,Cơ khí Tân Thuận,xuong-a,2026-01-31
Phạm Quốc Dũng,1979-11-02,079079000038,162979388586171103,Cơ khí Tân Thuận,kho-b,
"""
AN, BINH, CHI, DUNG = "079187000018", "079090000010", "079095000029", "079079000038"

TEXTS = {
    "an-qr": f"{AN}|NGUYEN THI AN|1987-01-18|0|162979388586171100|<2<00<",
    "binh-cccd": f"{BINH}||Trần Văn Bình|01011990|Nam|Quận 7, TP. Hồ Chí Minh|15102021",
    "chi-cccd": f"{CHI}||Lê Minh Chi|20051995|Nữ|Quận 7, TP. Hồ Chí Minh|15102021",
    "dung-cccd": f"{DUNG}||Phạm Quốc Dũng|02111979|Nam|Quận 7, TP. Hồ Chí Minh|15102021",
    "la-cccd": "079088000047||Người Lạ|03031988|Nam|Quận 7, TP. Hồ Chí Minh|15102021",
    "thanh-toan": "00020101021138540010A00000072701240006970436011012345678900208QRIBFTTA53037045802VN6304ABCD",
}
"""Codes that are plain text; passes and numbers are issued while the site is made."""

ACL = """\
user {gate}
topic write gate/1/{site}/{gate}/up/#
topic read gate/1/{site}/{gate}/down/#
topic read gate/1/{site}/documents/#

user publisher
topic readwrite gate/1/{site}/documents/#

user recorder
topic read gate/1/{site}/+/up/#
topic write gate/1/{site}/+/down/ack

user operator
topic read gate/1/{site}/#
topic write gate/1/{site}/+/down/command/+
"""

CONFIG = """\
site: {{id: {site}, area: xuong-a, token_key_file: {folder}/token.key}}
gate: {{id: {gate}}}
state_dir: {folder}/state
documents: {{root_file: {folder}/root.json}}
clock: {{trust: always}}
pins: {{factory: mock, trace: {folder}/pins.trace}}
barrier: {{driver: relay, entry_pin: {entry_pin}, exit_pin: {exit_pin}}}
readers:
  - {{name: camera-in, direction: entry, driver: camera, source: "folder:{folder}/camera"}}
  - {{name: scanner-in, direction: entry, driver: serial, port: {folder}/dev/scanner-in}}
  - {{name: keypad-in, direction: entry, driver: keypad, source: "line:{folder}/dev/keypad-in"}}
  - {{name: scanner-out, direction: exit, driver: serial, port: {folder}/dev/scanner-out}}
indicators:
  - {{driver: lamps, green_pin: 22, red_pin: 23, amber_pin: 24}}
  - {{driver: buzzer, pin: 25}}
mqtt: {{host: 127.0.0.1, port: {broker_port}, username: {gate}, password_file: {folder}/{gate}.password}}
"""


@dataclass(slots=True)
class DemoSite:
    """A folder with everything in it; `codes` maps a name to the text of a code that can be shown."""

    folder: Path
    broker_port: int
    codes: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> str:
        """The central database's URL."""
        return f"sqlite:///{self.folder}/central.db"

    @property
    def config(self) -> Path:
        """The gate's config."""
        return self.folder / "gate.yaml"

    def gate(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Run one `gate ...` command; its `--json` answers, if it gave any.

        Raises:
            GateError: it failed; the message holds what it said.
        """
        done = subprocess.run(
            [sys.executable, "-m", "gate", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise GateError(f"gate {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def publish(self) -> None:
        """Sign what the database says now."""
        self.gate("central", "documents", "publish", "--repo", self.folder / "repo", "--keys", self.folder / "keys",
                  "--db", self.database, "--token-key", self.folder / "token.key",
                  "--issuers", self.folder / "issuers.json")

    def import_documents(self) -> None:
        """Carry what is published to the gate."""
        self.gate("documents", "import", self.folder / "repo", "--config", self.config)

    def password(self, user: str) -> str:
        """A user's password at the demo's broker."""
        return (self.folder / f"{user}.password").read_text().strip()


def make_site(folder: Path, broker_port: int, say: Callable[[str], None]) -> DemoSite:
    """Make the site anew; a folder that an earlier demo made is replaced.

    Raises:
        UsageError: the folder holds something else.
        GateError: a command failed.
    """
    folder = folder.resolve()
    _clear(folder)
    site = DemoSite(folder, broker_port)
    db = ("--db", site.database)
    say("keys of the publisher, the issuer and the recorder")
    site.gate("central", "documents", "init", "--repo", folder / "repo", "--keys", folder / "keys",
              "--token-key", folder / "token.key")
    for name, purpose in (("issuer", "pass"), ("recorder", "recorder")):
        site.gate("central", "issue", "key", "--out", folder / f"{name}.pem", "--issuer", f"demo-{name}",
                  "--purpose", purpose, "--issuers", folder / "issuers.json")
    site.gate("central", "issue", "key", "--out", folder / "operator.pem", "--issuer", OPERATOR,
              "--purpose", "operator", "--role", "administrator", "--issuers", folder / "issuers.json")
    shutil.copy(folder / "repo" / "metadata" / "1.root.json", folder / "root.json")
    say("people from a CSV file, a pass for An, a number code for Bình")
    (folder / "people.csv").write_text(PEOPLE)
    site.gate("central", "issue", "people", folder / "people.csv", *db)
    issue = ("central", "issue", "pass", "--key", folder / "issuer.pem", "--days", "180", *db)
    site.gate(*issue, "--person", AN, "--out", folder / "passes", "--png", "--svg", "--card")
    (issued,) = site.gate(*issue, "--person", AN, "--json")
    (number,) = site.gate("central", "issue", "number", "--person", BINH, "--json", *db)
    site.codes = TEXTS | {"an-pass": issued["text"], "binh-so": number["number"]}
    site.codes["gia-pass"] = _forge(issued["text"])
    _draw(site)
    say("roster, keys and revocations as signed documents")
    (folder / "gate.yaml").write_text(CONFIG.format(
        site=SITE, gate=GATE, folder=folder, broker_port=broker_port, entry_pin=ENTRY_PIN, exit_pin=EXIT_PIN))
    _broker_files(site)
    site.publish()
    site.import_documents()
    for name in ("camera", "dev", "log"):
        (folder / name).mkdir()
    return site


def _clear(folder: Path) -> None:
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise UsageError(f"{folder} is not empty and no demo made it; name another folder with --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARKER).touch()


def _forge(text: str) -> str:
    """The same pass with one character changed in its signature."""
    middle = len(text) - 10
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1:]


def _draw(site: DemoSite) -> None:
    """Every code as a PNG, to be shown on a phone or dropped before the camera."""
    import segno  # noqa: PLC0415  (the central extra)

    folder = site.folder / "codes"
    folder.mkdir()
    for name, text in site.codes.items():
        if not text.isdigit():
            segno.make_qr(text, error="m").save(str(folder / f"{name}.png"), scale=6, border=4)


def _broker_files(site: DemoSite) -> None:
    folder = site.folder
    passwords = {user: secrets.token_urlsafe(18) for user in (GATE, "recorder", "operator", "publisher")}
    for user, password in passwords.items():
        (folder / f"{user}.password").touch(mode=0o600)
        (folder / f"{user}.password").write_text(password + "\n")
    table = folder / "mosquitto.passwords"
    table.touch(mode=0o600)
    table.write_text("".join(f"{user}:{password}\n" for user, password in passwords.items()))
    subprocess.run(["mosquitto_passwd", "-U", str(table)], check=True, capture_output=True)
    (folder / "mosquitto.acl").touch(mode=0o600)
    (folder / "mosquitto.acl").write_text(ACL.format(site=SITE, gate=GATE))
