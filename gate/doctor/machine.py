"""Checks of the machine itself: groups, pins, devices, power, clock, disk, watchdog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

from gate import wiring
from gate.clock import kernel_synchronised
from gate.config import Config
from gate.doctor.finding import Finding, Machine

FREE_MIN_BYTES = 200 * 1024 * 1024
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
UNDER_VOLTAGE_NOW, UNDER_VOLTAGE_SINCE_BOOT = 1 << 0, 1 << 16
"""Bits of get_throttled (Raspberry Pi documentation, vcgencmd)."""
CONFIG_TXT = ("/boot/firmware/config.txt", "/boot/config.txt")
GROUPS = {"serial": "dialout", "keypad": "input", "keyboard_scanner": "input"}
"""Which group lets a driver open its device."""


def check_groups(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The daemon's user is in the groups that its devices belong to."""
    groups = {fields[0]: fields[3].split(",") for line in (machine.read("/etc/group") or "").splitlines()
              if len(fields := line.split(":")) == 4}
    if machine.user not in groups:
        yield Finding("fault", f"there is no user {machine.user}", "the package is not installed, or only in part",
                      "sudo apt install ./gate_*.deb, or sudo systemd-sysusers")
        return
    wanted = {GROUPS[reader.driver] for reader in settings.readers if reader.driver in GROUPS}
    wanted |= {"gpio"} if settings.pins.factory != "mock" else set()
    for group in sorted(wanted):
        if machine.user not in groups.get(group, []):
            yield Finding("fault", f"{machine.user} is not in the group {group}",
                          "its devices stay closed to the daemon",
                          f"sudo usermod -aG {group} {machine.user}; sudo systemctl restart gate")


def check_pins(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The pin library and the lines are there."""
    if settings.pins.factory == "mock":
        yield Finding("doubt", "the pins are simulated", "pins.factory is mock", "on a Pi: pins.factory: lgpio")
        return
    module = {"lgpio": "lgpio", "rpigpio": "RPi"}[settings.pins.factory]
    if find_spec(module) is None:
        package = {"lgpio": "python3-lgpio", "rpigpio": "python3-rpi.gpio"}[settings.pins.factory]
        yield Finding("fault", f"no Python module {module}", "apt's package is not installed",
                      f"sudo apt install {package}")
    if not list(machine.path("/dev").glob("gpiochip*")):
        yield Finding("fault", "no /dev/gpiochip*", "this is no Pi, or its kernel has no pins",
                      "run on a Raspberry Pi, or set pins.factory: mock")


def check_firmware(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The firmware holds the outputs at rest, on the pins and at the levels that the config has now."""
    if settings.pins.factory == "mock":
        return
    text = next((text for path in CONFIG_TXT if (text := machine.read(path)) is not None), None)
    if text is None:
        return
    lines = set(text.splitlines())
    if "include gate.txt" in lines:
        lines |= set((machine.read("/boot/firmware/gate.txt") or "").splitlines())
    if missing := [line for line in wiring.firmware_lines(wiring.wires(settings)) if line not in lines]:
        yield Finding("doubt", f"config.txt does not say {', '.join(missing)}",
                      "relays may twitch while the Pi boots, or rest at the wrong level (active_high)",
                      "gate wiring --firmware --config FILE | sudo tee /boot/firmware/gate.txt; see docs/wiring.md")


def check_readers(settings: Config, machine: Machine) -> Iterator[Finding]:
    """What the readers are plugged into is there."""
    for name, where in wiring.devices(settings):
        path = where.partition("/")[2]
        if not path or machine.path(f"/{path}").exists() or "socket" in where:
            continue
        there = sorted(str(found.name) for folder in ("/dev/serial/by-id", "/dev/input/by-id")
                       for found in machine.path(folder).glob("*"))
        yield Finding("fault", f"{name}: no /{path}", "unplugged, or its name is another one here",
                      f"plug it in; what is here: {', '.join(there) or 'nothing'}")


def check_power(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The supply holds."""
    word = machine.read(THROTTLED)
    if word is None:
        return
    bits = int(word, 16)
    if bits & (UNDER_VOLTAGE_NOW | UNDER_VOLTAGE_SINCE_BOOT):
        when = "now" if bits & UNDER_VOLTAGE_NOW else "since it booted"
        yield Finding("fault", f"under-voltage {when}", "the supply or its cable is too weak",
                      "take the Pi's own supply (5.1 V, 3 A; a Pi 5: 5 A), and feed relays from another one")


def check_clock(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The clock is right, and stays so without power."""
    if settings.clock.trust == "synchronised" and not kernel_synchronised():
        yield Finding("fault", "the clock is not synchronised", "no time server was reached since the machine started",
                      "timedatectl set-ntp true, and let UDP port 123 out; or a battery clock and clock.trust: always")
    if not machine.path("/dev/rtc0").exists():
        yield Finding("doubt", "no clock that runs without power", "a Pi 4 has none; on a Pi 5 it is there",
                      "a module with DS3231 and dtoverlay=i2c-rtc,ds3231 in config.txt")


def check_disk(settings: Config, machine: Machine) -> Iterator[Finding]:
    """The ledger's disk takes writes, and has room and life left."""
    folder = machine.path(settings.state_dir)
    if not folder.exists():
        yield Finding("fault", f"no {settings.state_dir}", "the gate has never been started",
                      "sudo systemctl start gate")
        return
    disk = os.statvfs(folder)
    if disk.f_flag & os.ST_RDONLY:
        yield Finding("fault", f"{settings.state_dir} is read-only", "a worn card, or the overlay file system",
                      "dmesg | grep -i 'i/o error'; replace the card, or raspi-config: Performance, Overlay off")
    if (free_bytes := disk.f_bavail * disk.f_frsize) < FREE_MIN_BYTES:
        yield Finding("fault", f"{free_bytes // 1024 ** 2} MB left", "the disk is nearly full: then nobody is let in",
                      "sudo journalctl --vacuum-size=50M; sudo apt clean")
    for life in machine.path("/sys/block").glob("mmcblk*/device/life_time"):
        used = max(int(word, 16) for word in life.read_text().split())
        if used >= 9:  # JEDEC eMMC 5.1, DEVICE_LIFE_TIME_EST: tenths, 0x0b is beyond
            yield Finding("doubt", f"{life.parts[-3]} has used {used * 10} % of its life", "flash wears out",
                          "gate backup, and replace it")


def check_watchdog(settings: Config, machine: Machine) -> Iterator[Finding]:
    """systemd watches the daemon, and the hardware watches systemd."""
    unit = machine.ask("systemctl", "show", "--value", "--property=WatchdogUSec", "gate.service")
    if unit in ("0", "infinity"):
        yield Finding("fault", "systemd does not watch the daemon",
                      "a drop-in or another unit file has taken WatchdogSec away",
                      "systemctl cat gate; systemctl revert gate")
    states = [path.read_text().strip() for path in machine.path("/sys/class/watchdog").glob("watchdog*/state")]
    if "active" not in states:
        yield Finding("doubt", "no hardware watchdog is armed",
                      "systemd does not open it by itself: a kernel that hangs stays so",
                      "RuntimeWatchdogSec=15 in /etc/systemd/system.conf.d/watchdog.conf, then reboot")
