"""What is wrong with this gate's machine: each finding with its cause and the exact fix.

A check is a generator of findings over the config and the machine (`CHECKS`); it changes nothing. Adding one: a
function and its line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from gate.config import Config
from gate.doctor.broker import check_broker
from gate.doctor.finding import Finding, Machine
from gate.doctor.machine import (
    check_clock,
    check_disk,
    check_firmware,
    check_groups,
    check_pins,
    check_power,
    check_readers,
    check_watchdog,
)
from gate.doctor.trust import check_certificates, check_documents

Check = Callable[[Config, Machine], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "groups": check_groups,
    "pins": check_pins,
    "firmware": check_firmware,
    "readers": check_readers,
    "power": check_power,
    "clock": check_clock,
    "disk": check_disk,
    "watchdog": check_watchdog,
    "certificates": check_certificates,
    "documents": check_documents,
    "broker": check_broker,
}
"""What is looked at, in this order."""

__all__ = ["CHECKS", "Check", "Finding", "Machine", "Verdict", "examine"]


class Verdict(NamedTuple):
    """What one check found; nothing found is good."""

    check: str
    findings: list[Finding]

    @property
    def level(self) -> Literal["good", "doubt", "fault"]:
        """The worst of it."""
        levels = {finding.level for finding in self.findings}
        return "fault" if "fault" in levels else "doubt" if levels else "good"


def examine(settings: Config, root: Path = Path("/"), user: str = "gate") -> Iterator[Verdict]:
    """Make every check, one after another; a check that itself fails is a doubt, not the end."""
    machine = Machine(root, user)
    for name, check in CHECKS.items():
        try:
            findings = list(check(settings, machine))
        except OSError as error:
            findings = [Finding("doubt", f"not looked at: {error}", "this user may not look there",
                                "run it as root: sudo gate doctor")]
        yield Verdict(name, findings)
