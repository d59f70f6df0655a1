"""The OSDP reader against libosdp's own peripheral side, over a pty; nothing here but a secure channel."""

from __future__ import annotations

import json
import os
import secrets
import threading
from pathlib import Path

import pytest

from gate.drivers.osdp import OsdpReader, OsdpSettings
from gate.model import Direction, ReaderState

osdp_sys = pytest.importorskip("osdp_sys", reason="the extra `osdp` is not installed")

PACKETS = Path(__file__).resolve().parents[2] / "../shared/data/osdp/packets.json"
BITS = "01110100101110110011110001"
SHOWN = b"26-233-30328"


class Peripheral:
    """A reader on the far end of a pty, served by a thread of the test."""

    id = 0

    def __init__(self, fd: int, key: bytes | None) -> None:
        self._fd = fd
        os.set_blocking(fd, False)
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
        self._device = osdp_sys.PeripheralDevice({
            "name": "pd", "address": 5, "flags": 0 if key is None else osdp_sys.FLAG_ENFORCE_SECURE, "scbk": key,
            "channel": self, "version": 1, "model": 1, "vendor_code": 1, "serial_number": 1, "firmware_version": 1,
        }, capabilities=[{"function_code": osdp_sys.CAP_COMMUNICATION_SECURITY, "compliance_level": 1, "num_items": 1}])
        self._device.set_command_callback(lambda command: (0, None))
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def read(self, bytes_max: int) -> bytes:
        try:
            return os.read(self._fd, bytes_max)
        except OSError:
            return b""

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except OSError:
            return 0

    def flush(self) -> None:
        pass

    def show(self, bits: str) -> None:
        data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        self._submit({"event": osdp_sys.EVENT_CARDREAD, "reader_no": 0, "format": osdp_sys.CARD_FMT_RAW_WIEGAND,
                      "length": len(bits), "direction": 0, "data": data})

    def type(self, keys: bytes) -> None:
        self._submit({"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "data": keys})

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _submit(self, event: dict[str, object]) -> None:
        with self._lock:
            self._device.submit_event(event)

    def _serve(self) -> None:
        while not self._stopping.wait(0.01):
            with self._lock:
                self._device.refresh()


@pytest.fixture
def made(pty, tmp_path, heard):
    """A reader whose far end comes with a key that the test names."""
    parts = []
    own = secrets.token_bytes(16)
    (tmp_path / "scbk").write_text(own.hex())

    def make(peripherals_key: bytes | None = own, **settings: object) -> Peripheral:
        pty.plug()
        peripheral = Peripheral(pty._fds[0], peripherals_key)
        reader = OsdpReader("card", Direction.ENTRY, OsdpSettings(
            port=str(pty.path), address=5, key_file=tmp_path / "scbk", **settings))
        reader.start(heard)
        parts.extend([reader, peripheral])
        return peripheral

    yield make
    for part in parts:
        part.stop()


def test_card_in_the_secure_channel_is_a_scan(made, heard):
    made().show(BITS)
    scan = heard.next()
    assert (scan.payload, scan.card, scan.direction) == (SHOWN, True, Direction.ENTRY)


def test_card_with_its_pin_is_one_scan(made, heard):
    peripheral = made(pin_s=20)
    peripheral.show(BITS)
    peripheral.type(b"1234#")
    assert heard.next().payload == SHOWN + b"#1234"


@pytest.mark.slow
def test_reader_with_another_key_is_refused_with_the_fix(made, heard):
    made(secrets.token_bytes(16)).show(BITS)
    said = heard.next()
    assert isinstance(said, ReaderState)
    assert not said.present
    assert "holds the key" in said.detail


@pytest.mark.slow
def test_reader_under_the_well_known_key_is_refused(made, heard):
    made(None).show(BITS)
    assert not heard.next().present


@pytest.mark.slow
def test_reader_that_falls_silent_is_lost(made, heard):
    peripheral = made()
    peripheral.show(BITS)
    assert heard.next().payload == SHOWN
    peripheral.stop()
    assert not heard.next().present


def test_key_file_that_holds_no_key_says_what_to_write(tmp_path, pty, heard):
    pty.plug()
    (tmp_path / "scbk").write_text("abc")
    reader = OsdpReader("card", Direction.ENTRY, OsdpSettings(port=str(pty.path), key_file=tmp_path / "scbk"))
    reader.start(heard)
    assert "32 hexadecimal digits" in heard.next().detail
    reader.stop()


@pytest.mark.slow
@pytest.mark.skipif(not PACKETS.is_file(), reason="the shared test data is not beside this repository")
def test_published_packets_and_noise_open_no_channel_and_are_no_scan(pty, tmp_path, heard):
    (tmp_path / "scbk").write_text(secrets.token_hex(16))
    pty.plug()
    reader = OsdpReader("card", Direction.ENTRY, OsdpSettings(port=str(pty.path), key_file=tmp_path / "scbk"))
    reader.start(heard)
    for case in json.loads(PACKETS.read_text()):
        pty.send(bytes.fromhex(case["hex"]) + secrets.token_bytes(16))
    said = heard.next()
    assert isinstance(said, ReaderState)
    assert not said.present
    reader.stop()
    assert heard.nothing()
