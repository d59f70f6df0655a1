"""What no single key can show: the checks across the sections of a config, one function a rule.

A rule's parameters are the sections that it compares, by their top key; it runs when all of them are sound. It
yields a `Remark` for each fault, or each doubt (`warning=True`), with its fix. Rules are pure but for `FILE_RULES`.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gate.config import (
    Admission,
    ContactConfig,
    Device,
    Documents,
    Health,
    Ledger,
    Mqtt,
    Pins,
    Portal,
    Presence,
    ReaderConfig,
    Site,
    Tls,
)
from gate.policy.rules import RULES as RULES_OF_ADMISSION

BCM_PINS = range(28)
"""The GPIO lines that a Raspberry Pi brings to its 40-pin header."""

GRANT_WAIT_MAX_MS = 2_500
"""A grant waits on the core's thread; held releases (lease 3 s) are renewed on it too."""

UART_PINS = (14, 15)
PULLED_UP_AT_BOOT = range(9)
"""BCM2835 ARM Peripherals, table 6-31: GPIO 0 to 8 have their pull-up on at reset, the others a pull-down."""


class Remark(NamedTuple):
    """What a rule has to say, of which key."""

    key: str
    text: str
    warning: bool = False


Rule = Callable[..., Iterator[Remark]]

SECRETS = ("site.token_key_file", "mqtt.password_file", "mqtt.tls.key")
"""The keys whose files must not be everybody's to read."""


def doubt(key: str, text: str) -> Remark:
    """A remark that warns and stops nothing."""
    return Remark(key, text, warning=True)


def time_zone_exists(site: Site) -> Iterator[Remark]:
    """The site's time zone is in the tz database."""
    try:
        ZoneInfo(site.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Remark("site.time_zone", f"no time zone is called {site.time_zone!r}; in Vietnam write "
                     "Asia/Ho_Chi_Minh")


def somebody_can_pass(readers: tuple[ReaderConfig, ...], admission: Admission) -> Iterator[Remark]:
    """There is a reader, and a proof that opens the gate."""
    if not readers:
        yield Remark("readers", "the gate has no reader; add one, see config/gate.example.yaml")
    if not admission.accept:
        yield Remark("admission.accept", "nothing is accepted, so nobody would pass; write signed, listed or both")


def proofs_are_of_rules(admission: Admission) -> Iterator[Remark]:
    """A proof is asked for by a rule's name."""
    names = [rule.name for rule in RULES_OF_ADMISSION]
    for name in admission.proofs:
        if name not in names:
            yield Remark("admission.proofs", f"no rule is called {name!r}; there are {', '.join(names)}")


def hosts_can_be_inside(admission: Admission, presence: Presence | None) -> Iterator[Remark]:
    """Only a gate that counts who is inside knows whether a host is."""
    if admission.host == "inside" and presence is None:
        yield Remark("admission.host", "this gate does not know who is inside, so every visitor would be denied; add "
                     "`presence:`, or write listed")


def names_are_unique(readers: tuple[ReaderConfig, ...], contacts: tuple[ContactConfig, ...]) -> Iterator[Remark]:
    """Events name a reader by its name, and the portal an input by its role."""
    sections: dict[str, tuple[ReaderConfig | ContactConfig, ...]] = {"readers": readers, "contacts": contacts}
    for section, named in sections.items():
        counted = Counter(item.name for item in named)
        for index, item in enumerate(named):
            if counted[item.name] > 1:
                yield Remark(f"{section}[{index}].name", f"{item.name!r} is used twice; give each its own name")


def devices_are_used_once(readers: tuple[ReaderConfig, ...]) -> Iterator[Remark]:
    """No two readers open the same device."""
    seen: dict[str, str] = {}
    for index, reader in enumerate(readers):
        for key, path in device_paths(reader.settings):
            if path in seen:
                yield Remark(f"readers[{index}].{key}", f"{path} is already the device of {seen[path]}; "
                             "give each reader its own (by-id paths tell equal scanners apart)")
            seen.setdefault(path, reader.name)


def pins_are_usable(
    barrier: Device, readers: tuple[ReaderConfig, ...], indicators: tuple[Device, ...],
    contacts: tuple[ContactConfig, ...],
) -> Iterator[Remark]:
    """Every pin is on the header and serves one purpose; risky ones are named."""
    users: dict[int, list[str]] = defaultdict(list)
    devices = {"barrier": barrier} | _indexed("readers", readers) | _indexed("indicators", indicators) | _indexed(
        "contacts", contacts)
    for place, device in devices.items():
        for name, pin in pins_of(device.settings):
            key = f"{place}.{name}"
            if pin not in BCM_PINS:
                yield Remark(key, f"GPIO {pin} is not on the header; write a BCM number from 0 to {BCM_PINS[-1]}")
                continue
            if users[pin]:
                yield Remark(key, f"GPIO {pin} is already used by {users[pin][0]}; give each its own pin")
            elif pin in UART_PINS:
                yield doubt(key, f"GPIO {pin} is the serial console's line; take another, or turn the console off")
            elif pin in PULLED_UP_AT_BOOT and place == "barrier":
                yield doubt(key, f"GPIO {pin} is pulled up while the Pi boots, so the relay may close then; "
                            "take one of 9-13 or 16-27")
            users[pin].append(key)


def cut_off_outlasts_pulse(barrier: Device, portal: Portal) -> Iterator[Remark]:
    """The driver's own cut-off must not shorten every grant."""
    max_on_s = getattr(barrier.settings, "max_on_s", None)
    if max_on_s is not None and max_on_s <= portal.pulse_s:
        yield Remark("barrier.max_on_s", f"the cut-off of {max_on_s:g} s would end each pulse of "
                     f"{portal.pulse_s:g} s; make it longer than portal.pulse_s")


def prealarm_comes_first(portal: Portal) -> Iterator[Remark]:
    """The beep comes before the alarm."""
    if portal.prealarm_s >= portal.held_open_s:
        yield Remark("portal.prealarm_s", f"the beep at {portal.prealarm_s:g} s would come no sooner than the "
                     f"alarm at {portal.held_open_s:g} s; make it shorter than portal.held_open_s")


def write_is_sooner_than_flush(ledger: Ledger) -> Iterator[Remark]:
    """A grant waits for the write; the promise after a power cut is the longer of the two."""
    if ledger.write_max_ms >= ledger.flush_max_ms:
        yield Remark("ledger.write_max_ms", f"{ledger.write_max_ms} ms is not below ledger.flush_max_ms of "
                     f"{ledger.flush_max_ms} ms; make it smaller")
    waits_ms = ledger.write_max_ms + (ledger.flush_max_ms if ledger.durability == "after_flush" else 0)
    if waits_ms > GRANT_WAIT_MAX_MS:
        yield Remark("ledger.write_max_ms", f"a grant could make everybody wait {waits_ms} ms, an emergency included; "
                     f"at most {GRANT_WAIT_MAX_MS} ms, so that held releases are renewed in time: lower the limits")


def lockouts_grow(admission: Admission) -> Iterator[Remark]:
    """The longest lockout is not shorter than the first."""
    if admission.lockout_s > admission.lockout_max_s:
        yield Remark("admission.lockout_s", f"the first lockout of {admission.lockout_s:g} s is longer than the "
                     f"longest ({admission.lockout_max_s:g} s); raise admission.lockout_max_s")


def packs_are_meant(health: Health) -> Iterator[Remark]:
    """A pack is asked for once, `open` by itself, and what is observed belongs to a pack that is asked for."""
    for name, count in Counter(health.packs).items():
        if count > 1:
            yield Remark("health.packs", f"{name} stands there {count} times; once is enough")
    if "open" in health.packs and len(health.packs) > 1:
        yield doubt("health.packs", "open asks nothing, so it changes nothing beside other packs; take it out")
    for rule in health.observe_rules:
        if rule.rpartition(".")[0] not in health.packs:
            yield Remark("health.observe_rules", f"{rule} is a rule of no pack in health.packs; write PACK.NUMBER, as "
                         "`gate policy show PACK` prints it")


def mock_pins_only_simulate(pins: Pins, readers: tuple[ReaderConfig, ...]) -> Iterator[Remark]:
    """Mock pins beside real devices: a gate that reads codes and never opens."""
    devices = [path for reader in readers for _, path in device_paths(reader.settings)]
    if pins.factory == "mock" and any(map(_is_hardware, devices)):
        yield doubt("pins.factory", "mock moves no pin, yet a reader is real hardware: this gate would never open; "
                    "on a Pi write lgpio")


def broker_is_private(mqtt: Mqtt | None) -> Iterator[Remark]:
    """Beyond this machine the feed is encrypted, and log-in is whole."""
    if mqtt is None:
        return
    if mqtt.tls is None and not _is_loopback(mqtt.host):
        exposed = "events and the password travel" if mqtt.password_file else "events travel"
        yield doubt("mqtt.tls", f"without TLS {exposed} in the clear to {mqtt.host}; add `tls:` with "
                    "the broker's `ca`")
    if mqtt.tls is None and mqtt.port == 8883:
        yield doubt("mqtt.port", "8883 is the port for TLS; add `tls:`, or write 1883")
    if mqtt.tls is not None and (mqtt.tls.certificate is None) != (mqtt.tls.key is None):
        yield Remark("mqtt.tls", "a client certificate and its key go together; give both or neither")
    if mqtt.password_file is not None and mqtt.username is None:
        yield Remark("mqtt.password_file", "a password without a username is not sent; add `username:`")


def documents_have_a_road(documents: Documents, mqtt: Mqtt | None) -> Iterator[Remark]:
    """The road that documents come by leads somewhere."""
    if documents.road == "mqtt" and mqtt is None:
        yield Remark("documents.road", "documents shall come over MQTT and no broker is named; add `mqtt:`")
    if (documents.road == "web") != (documents.url is not None):
        yield Remark("documents.road", "`road: web` and `url:` go together; give both or neither")
    elif documents.url is not None and not documents.url.startswith("https://"):
        yield Remark("documents.url", "documents come over https:// only; give such an address, or another road")


def recorder_acknowledges(mqtt: Mqtt | None) -> Iterator[Remark]:
    """Law 8: delivered means recorded, unless the site gives that up."""
    if mqtt is not None and mqtt.ack == "broker":
        yield doubt("mqtt.ack", "with `broker` the gate forgets events that only the broker's memory holds: they "
                    "are lost when it fails, and nothing proves that they were kept; write recorder where one runs")


def files_are_there(site: Site, documents: Documents, mqtt: Mqtt | None, state_dir: Path) -> Iterator[Remark]:
    """The files that the config names can be opened, and secrets are not everybody's to read."""
    tls = (mqtt.tls if mqtt is not None else None) or Tls()
    password_file = mqtt.password_file if mqtt is not None else None
    administrator = "ask the broker's administrator for it"
    for key, path, fix in (
        ("site.token_key_file", site.token_key_file, "copy it from the centre; a site's gates share it"),
        ("documents.root_file", documents.root_file, "copy the publisher's root.json here"),
        ("documents.ca", documents.ca, "ask the web server's administrator for it"),
        ("mqtt.password_file", password_file, "write the password into it, mode 0600"),
        ("mqtt.tls.ca", tls.ca, administrator),
        ("mqtt.tls.certificate", tls.certificate, administrator),
        ("mqtt.tls.key", tls.key, administrator),
    ):
        if path is None:
            continue
        try:
            with path.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
        except OSError as error:
            yield Remark(key, f"{path} cannot be opened ({error.strerror}); {fix}")
            continue
        if key in SECRETS and mode & stat.S_IROTH:
            yield doubt(key, f"everybody on this machine may read {path}; run `chmod o-rwx` on it")
    if state_dir.exists() and not state_dir.is_dir():
        yield Remark("state_dir", f"{state_dir} is not a folder; name one that only the gate writes")


RULES: tuple[Rule, ...] = (
    time_zone_exists,
    somebody_can_pass,
    proofs_are_of_rules,
    hosts_can_be_inside,
    names_are_unique,
    devices_are_used_once,
    pins_are_usable,
    cut_off_outlasts_pulse,
    prealarm_comes_first,
    write_is_sooner_than_flush,
    lockouts_grow,
    packs_are_meant,
    mock_pins_only_simulate,
    broker_is_private,
    documents_have_a_road,
    recorder_acknowledges,
)
FILE_RULES: tuple[Rule, ...] = (files_are_there,)
"""Rules that look at this machine's files; left out for a config that is meant for another."""


def _indexed(section: str, devices: tuple[Any, ...]) -> dict[str, Any]:
    return {f"{section}[{index}]": device for index, device in enumerate(devices)}


def _settings(settings: Any) -> dict[str, Any]:
    return {} if settings is None else msgspec.structs.asdict(settings)


def pins_of(settings: Any) -> Iterator[tuple[str, int]]:
    """The pins among a driver's settings: `pin`, `*_pin` and each of `*_pins`."""
    for name, value in _settings(settings).items():
        if re.fullmatch(r"(\w+_)?pin", name) and value is not None:
            yield name, value
        elif name.endswith("_pins"):
            yield from ((f"{name}[{at}]", pin) for at, pin in enumerate(value))


def device_paths(settings: Any) -> Iterator[tuple[str, str]]:
    """The devices among a reader's settings: `port`, `source` and `socket`."""
    for name, value in _settings(settings).items():
        if name in ("port", "source", "socket") and value is not None:
            yield name, str(value)


def _is_hardware(path: str) -> bool:
    return re.match(r"(\w+:)?/dev/(tty|serial|input|video|hid)|picamera2", path) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
