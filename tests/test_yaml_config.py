"""Reading a config: every fault at once, each with its line, its column and what to do."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gate import drivers
from gate.config import Config, Section
from gate.config.reading import FINDINGS_MAX, check, load
from gate.config.yaml_tree import FILE_MAX_BYTES
from gate.errors import ConfigError, UsageError


class RelayStandIn:
    class Settings(Section, frozen=True, kw_only=True):
        entry_pin: int
        exit_pin: int | None = None
        max_on_s: float = 5.0


class SerialStandIn:
    class Settings(Section, frozen=True, kw_only=True):
        port: str
        baud: int = 9600


class PinStandIn:
    class Settings(Section, frozen=True, kw_only=True):
        pin: int


@pytest.fixture(autouse=True)
def stand_in_drivers(monkeypatch):
    """The loader is tested against drivers of known settings; the real ones are tested with the examples."""
    for table, name, stand_in in (
        (drivers.BARRIERS, "relay", RelayStandIn), (drivers.READERS, "serial", SerialStandIn),
        (drivers.INDICATORS, "buzzer", PinStandIn), (drivers.CONTACTS, "gpio", PinStandIn),
    ):
        monkeypatch.setitem(table, name, f"{__name__}:{stand_in.__name__}")


VALID = """\
site:
  id: kcn-tan-thuan
  token_key_file: token.key
gate:
  id: gate-1
state_dir: state
documents:
  root_file: root.json
pins:
  factory: lgpio
barrier:
  driver: relay
  entry_pin: 17
readers:
  - name: in
    direction: entry
    driver: serial
    port: /dev/serial/by-id/scanner-in
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "gate.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    for name in ("token.key", "root.json"):
        (folder / name).touch(mode=0o600)
    return file


def problems(folder: Path, text: str) -> list[str]:
    """Each error without the file's folder: `line:column: key: text`."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return [problem.removeprefix(f"{folder / 'gate.yaml'}:") for problem in caught.value.problems]


def warnings(folder: Path, text: str) -> list[str]:
    report = check(write(folder, text))
    assert report.config is not None, report.lines(warnings=False)
    return [line.removeprefix(f"{report.file}:") for line in report.lines(warnings=True)]


def with_line(addition: str) -> str:
    return VALID + addition


def test_valid_config_is_typed_with_the_drivers_own_settings(tmp_path):
    config = load(write(tmp_path, VALID))
    assert isinstance(config, Config)
    assert config.barrier.settings == RelayStandIn.Settings(entry_pin=17)
    assert config.readers[0].settings.port == "/dev/serial/by-id/scanner-in"
    assert config.portal.pulse_s == 0.6


def test_relative_paths_count_from_the_files_folder(tmp_path):
    config = load(write(tmp_path, VALID))
    assert config.site.token_key_file == tmp_path / "token.key"
    assert config.state_dir == tmp_path / "state"


def test_every_error_is_reported_at_once_with_its_place(tmp_path):
    found = problems(tmp_path, """\
        site:
          id: KCN Tân Thuận
          token_key_fil: token.key
        gate: {id: gate-1}
        state_dir: state
        documents: {root_file: root.json}
        pins: {factory: gpio}
        barrier:
          driver: rellay
        readers:
          - name: in
            direction: in
            driver: serial
            port: 5
        portal:
          pulse_s: fast
    """)
    places = [problem.split(": ")[:2] for problem in found]
    assert places == [
        ["1:1", "site.token_key_file"],
        ["2:7", "site.id"],
        ["3:3", "site.token_key_fil"],
        ["7:17", "pins.factory"],
        ["9:11", "barrier.driver"],
        ["12:16", "readers[0].direction"],
        ["14:11", "readers[0].port"],
        ["16:12", "portal.pulse_s"],
    ]


@pytest.mark.parametrize(("written", "said"), [
    ("portl: {}\n", "unknown key; did you mean `portal`? "),
    ("portal: {pulse: 1}\n", "unknown key; did you mean `pulse_s`? "),
    ("portal: {pulse_s: 0}\n", "'0' is not possible here; write a number above 0 to 86400"),
    ("portal: {pulse_s: .nan}\n", "'.nan' is not possible here; write a number above 0"),
    ("portal: {pulse_s: true}\n", "'true' is not possible here; write a number above 0"),
    ("portal: {pending_max: 1.5}\n", "'1.5' is not possible here; write a whole number from 0 to 16"),
    ("portal: {pulse_s: }\n", "no value; write a number above 0"),
    ("portal: 3\n", "keys and values belong here, such as pulse_s, passage_s"),
    ("admission: {accept: signed}\n", "a list belongs here; begin each item with `- `"),
    ("admission: {accept: [sgned]}\n", "did you mean `signed`? write one of listed, signed"),
    ("mqtt: {host: broker, version: 5}\n", 'text belongs here; put it in quotes: "5"'),
    ("mqtt: {port: 1883}\n", "missing; add `host:` with text"),
    ("contacts: [{name: door}]\n", "missing; add `driver:` with one of gpio"),
    ("contacts: [{name: door, driver: gipo, pin: 3}]\n", "no driver is called 'gipo'; did you mean `gpio`?"),
    ("contacts: [{name: door, driver: gpio, pin: 3, pul: up}]\n", "unknown key; known here: name, driver, pin"),
    ("contacts: [{name: door, driver: gpio, settings: {pin: 3}}]\n", "unknown key"),
])
def test_error_says_what_to_do(tmp_path, written, said):
    assert said in "\n".join(problems(tmp_path, with_line(written)))


@pytest.mark.parametrize(("text", "said"), [
    ("", "the file is empty"),
    ("# nothing\n", "the file is empty"),
    ("- a\n", "1:1: keys and values belong here"),
    ("site: [\n", "not YAML"),
    ("site:\n\tid: x\n", "2:1: not YAML"),
    ("a: &x 1\nb: *x\n", "2:4: anchors and aliases are refused"),
    ("a: !!python/object:os.system x\n", "1:4: tags are refused"),
    ("? [a, b]\n: 1\n", "a key must be one word"),
    ("a: 1\n---\nb: 2\n", "not YAML: but found another document"),
    ("a: \x07\n", "1:4: a character that YAML does not allow"),
    ("[" * 11 + "]" * 11, "1:11: nested deeper than 10"),
    ("[" * 30_000, "nested deeper than 10"),
    ("#" * (FILE_MAX_BYTES + 1), f"longer than {FILE_MAX_BYTES} bytes"),
])
def test_file_that_no_config_needs_is_refused(tmp_path, text, said):
    assert said in "\n".join(problems(tmp_path, text))


def test_key_written_twice_is_refused_and_both_places_named(tmp_path):
    assert "19:1: gate: a second time (first on line 4); keep one of them" in problems(
        tmp_path, with_line("gate: {id: gate-2}\n"))


def test_faults_past_the_limit_are_not_listed(tmp_path):
    found = problems(tmp_path, "a: 1\n" * 1000)
    assert len(found) == FINDINGS_MAX + 1
    assert found[-1].endswith(f"more than {FINDINGS_MAX} faults; mend these first")


def test_file_that_is_not_utf8_is_refused_with_its_place(tmp_path):
    file = tmp_path / "gate.yaml"
    file.write_bytes(b"site:\n  id: T\xe2n\n")
    with pytest.raises(ConfigError, match=r":2:8: not UTF-8; save the file as UTF-8"):
        load(file)


def test_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yaml")


def test_hostile_value_is_shown_escaped_and_short(tmp_path):
    found = "\n".join(problems(tmp_path, with_line('portal: {pulse_s: "\\e[2J' + "x" * 5000 + '"}\n')))
    assert "\x1b" not in found
    assert len(found) < 500


def test_yaml_12_words_stay_text(tmp_path):
    config = load(write(tmp_path, VALID.replace("gate-1", "no")))
    assert config.gate.id == "no"


def test_driver_that_cannot_be_loaded_says_why(tmp_path, monkeypatch):
    monkeypatch.setitem(drivers.CONTACTS, "gpio", "gate.drivers.not_there:Driver")
    assert "cannot be loaded here (No module named 'gate.drivers.not_there')" in "\n".join(
        problems(tmp_path, with_line("contacts: [{name: door, driver: gpio, pin: 3}]\n")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80), st.integers(0, len(VALID)))
def test_whatever_is_typed_into_it_ends_in_a_config_or_a_config_error(tmp_path, typed, where):
    file = write(tmp_path, "")
    file.write_text(VALID[:where] + typed + VALID[where:], encoding="utf-8", newline="")
    report = check(file)
    assert (report.config is None) == bool(report.lines(warnings=False))


# --- across sections ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "place", "said"), [
    ("portal: {pulse_s: 5}\n", "12:3: barrier.max_on_s", "make it longer than portal.pulse_s"),
    ("portal: {prealarm_s: 20}\n", "19:22: portal.prealarm_s", "make it shorter than portal.held_open_s"),
    ("ledger: {write_max_ms: 2000}\n", "19:24: ledger.write_max_ms", "make it smaller"),
    ("admission: {lockout_s: 901}\n", "19:24: admission.lockout_s", "raise admission.lockout_max_s"),
    ("health: {packs: [hcm-3328, hcm-3328]}\n", "19:17: health.packs", "once is enough"),
    ("health: {observe_rules: [hcm-3328.1]}\n", "19:25: health.observe_rules", "a rule of no pack in health.packs"),
    ("admission: {accept: []}\n", "19:21: admission.accept", "nobody would pass"),
    ("admission: {host: inside}\n", "19:19: admission.host", "every visitor would be denied; add `presence:`"),
    ("admission: {proofs: {helth: signed}}\n", "19:21: admission.proofs", "no rule is called 'helth'"),
    ("indicators: [{driver: buzzer, pin: 17}]\n", "19:36: indicators[0].pin", "already used by barrier.entry_pin"),
    ("indicators: [{driver: buzzer, pin: 28}]\n", "19:36: indicators[0].pin", "write a BCM number from 0 to 27"),
    ("contacts: [{name: door, driver: gpio, pin: 5}, {name: door, driver: gpio, pin: 6}]\n",
     "19:19: contacts[0].name", "'door' is used twice"),
    ("mqtt: {host: localhost, port: 1883, password_file: token.key}\n", "19:52: mqtt.password_file", "add `user"),
    ("mqtt: {host: b, tls: {key: token.key}}\n", "19:22: mqtt.tls", "give both or neither"),
    ("mqtt: {host: b, tls: {ca: none.pem}}\n", "19:27: mqtt.tls.ca", "cannot be opened (No such file"),
])
def test_sections_that_contradict_each_other_are_refused(tmp_path, written, place, said):
    found = problems(tmp_path, with_line(written))
    assert any(place in problem and said in problem for problem in found), found


def test_two_readers_on_one_device_or_of_one_name_are_refused(tmp_path):
    found = "\n".join(problems(tmp_path, with_line(
        "  - {name: in, direction: exit, driver: serial, port: /dev/serial/by-id/scanner-in}\n")))
    assert "readers[1].name: 'in' is used twice" in found
    assert "readers[1].port: /dev/serial/by-id/scanner-in is already the device of in" in found


def test_gate_without_a_reader_is_refused(tmp_path):
    assert "the gate has no reader" in problems(tmp_path, VALID.partition("readers:")[0] + "readers: []\n")[0]


@pytest.mark.parametrize("zone", ["Asia/Saigon City", "../../etc/passwd", "", "Asia"])
def test_unknown_time_zone_is_refused(tmp_path, zone):
    text = VALID.replace("  token_key_file", f"  time_zone: '{zone}'\n  token_key_file")
    assert "3:14: site.time_zone: no time zone is called" in problems(tmp_path, text)[0]


def test_file_that_must_exist_is_named_with_its_fix_and_only_looked_for_when_asked(tmp_path):
    file = write(tmp_path, VALID)
    (tmp_path / "root.json").unlink()
    with pytest.raises(ConfigError, match=r"8:14: documents.root_file: .*copy the publisher's root.json"):
        load(file)
    assert load(file, files=False).gate.id == "gate-1"


def test_rules_still_run_over_the_sections_that_are_sound(tmp_path):
    found = "\n".join(problems(tmp_path, with_line("portal: {prealarm_s: 30}\nmqtt: {}\n")))
    assert "mqtt.host: missing" in found
    assert "portal.prealarm_s" in found


# --- warnings ----------------------------------------------------------------------------------------------


def test_plain_valid_config_has_no_warnings(tmp_path):
    assert warnings(tmp_path, VALID) == []


@pytest.mark.parametrize(("written", "said"), [
    (VALID.replace("17", "4"), "13:14: barrier.entry_pin: GPIO 4 is pulled up while the Pi boots"),
    (VALID.replace("17", "14"), "13:14: barrier.entry_pin: GPIO 14 is the serial console's line"),
    (VALID.replace("lgpio", "mock"), "10:12: pins.factory: mock moves no pin, yet a reader is real hardware"),
    (with_line("mqtt: {host: broker.example, port: 1883}\n"), "mqtt.tls: without TLS events travel in the clear"),
    (with_line("mqtt: {host: 10.0.0.1, port: 1883, username: g, password_file: token.key}\n"),
     "without TLS events and the password travel in the clear to 10.0.0.1"),
    (with_line("mqtt: {host: 127.0.0.1}\n"), "mqtt.port: 8883 is the port for TLS"),
    (with_line("mqtt: {host: localhost, port: 1883, ack: broker}\n"),
     "mqtt.ack: with `broker` the gate forgets events that only the broker's memory holds"),
])
def test_doubtful_config_is_warned_about_and_accepted(tmp_path, written, said):
    assert any(said in warning for warning in warnings(tmp_path, written)), warnings(tmp_path, written)


def test_simulation_with_mock_pins_is_not_warned_about(tmp_path):
    simulated = VALID.replace("lgpio", "mock").replace("/dev/serial/by-id/scanner-in", "scanner-in.pty")
    assert warnings(tmp_path, simulated) == []


def test_secret_that_everybody_may_read_is_warned_about(tmp_path):
    file = write(tmp_path, VALID)
    (tmp_path / "token.key").chmod(0o644)
    assert "run `chmod o-rwx` on it" in check(file).lines(warnings=True)[0]
