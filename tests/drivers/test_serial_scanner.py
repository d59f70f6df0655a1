from __future__ import annotations

import random

import pytest

from gate.drivers.serial_line import SerialLine
from gate.drivers.serial_scanner import PRESETS, SerialScanner, SerialSettings
from gate.errors import DeviceError
from gate.model import PAYLOAD_MAX_BYTES, CodeBegun, Direction, ReaderState, Scan


@pytest.fixture
def scanner_of(pty, heard):
    """A started scanner whose device is not plugged in yet, so that the test sees when it listens."""
    started = []

    def make(**settings) -> SerialScanner:
        scanner = SerialScanner("entry-1", Direction.ENTRY, SerialSettings(port=str(pty.path), **settings))
        scanner.start(heard)
        started.append(scanner)
        said = heard.next()
        assert isinstance(said, ReaderState)
        assert not said.present
        assert "/dev/serial/by-id" in said.detail
        pty.plug()
        assert heard.next() == ReaderState("entry-1", True)
        return scanner

    yield make
    for scanner in started:
        scanner.stop()


def test_code_with_a_terminator_is_one_scan(scanner_of, pty, heard):
    scanner_of()
    pty.send(b"GP1:ABC\r\n")
    scan = heard.next()
    assert isinstance(scan, Scan)
    assert (scan.reader, scan.direction, scan.payload) == ("entry-1", Direction.ENTRY, b"GP1:ABC")


def test_code_whose_end_is_yet_to_come_is_foretold(scanner_of, pty, heard):
    scanner_of(idle_gap_ms=2000)
    pty.send(b"GP1:AB")
    assert heard.begun.get(timeout=20) == CodeBegun("entry-1")
    pty.send(b"C\r\n")
    assert heard.next().payload == b"GP1:ABC"


def test_code_that_comes_whole_is_not_foretold(scanner_of, pty, heard):
    scanner_of()
    pty.send(b"GP1:ABC\r\n")
    heard.next()
    assert heard.begun.empty()


def test_code_without_a_terminator_ends_by_silence(scanner_of, pty, heard):
    scanner_of(idle_gap_ms=5)
    pty.send("NGUYỄN VĂN A".encode())
    assert heard.next().payload == "NGUYỄN VĂN A".encode()


def test_code_held_in_view_is_one_scan(scanner_of, pty, heard):
    scanner_of(repeat_s=60)
    pty.send(b"one\rone\rone\rtwo\r")
    assert [heard.next().payload, heard.next().payload] == [b"one", b"two"]


def test_unplugged_scanner_is_reported_and_serves_again_once_replugged(scanner_of, pty, heard):
    scanner = scanner_of()
    pty.send(b"half a code")
    pty.unplug()
    said = heard.next()
    assert isinstance(said, ReaderState)
    assert not said.present
    pty.plug()
    assert heard.next() == ReaderState("entry-1", True)
    pty.send(b"whole\r")
    assert heard.next().payload == b"whole"
    assert scanner.alive_mono() > 0


def test_overlong_code_is_dropped_and_counted_and_the_next_one_read(scanner_of, pty, heard):
    scanner = scanner_of()
    pty.send(b"x" * (PAYLOAD_MAX_BYTES + 1) + b"\rshort\r" + b"y" * PAYLOAD_MAX_BYTES + b"\r")
    assert heard.next().payload == b"short"
    assert len(heard.next().payload) == PAYLOAD_MAX_BYTES
    assert scanner.dropped == 1


def test_start_command_is_sent_when_the_scanner_appears(scanner_of, pty):
    scanner_of(start_hex="16 54 0D")
    assert pty.receive() == b"\x16T\r"


@pytest.mark.parametrize("make", PRESETS)
def test_module_of_a_preset_is_set_to_read_by_itself_and_its_answer_is_no_code(make, scanner_of, pty, heard):
    scanner_of(preset=make, idle_gap_ms=5)
    assert pty.receive() == PRESETS[make].command
    pty.send(PRESETS[make].answer)
    pty.send(b"\r123\r")
    assert heard.next().payload == b"123"


def test_port_is_held_for_this_process_alone(scanner_of, pty):
    scanner_of()
    with pytest.raises(DeviceError, match="another process has this port"):
        SerialLine(str(pty.path), 9600)


def test_ten_thousand_random_codes_neither_end_the_reader_nor_pile_up(scanner_of, pty, heard):
    scanner = scanner_of(repeat_s=0)
    noise = random.Random(7)
    for _ in range(100):
        pty.send(b"".join(noise.randbytes(noise.randrange(1, 40)) + b"\r" for _ in range(100)))
    pty.send(b"\rthe end\r")
    while heard.next().payload != b"the end":
        pass
    assert scanner.dropped == 0
    assert len(scanner._framer._frame) == 0
