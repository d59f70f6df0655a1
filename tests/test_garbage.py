"""Whatever a reader reads, a real daemon goes on: no exit, no growth, no pulse, and the next good code opens."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from base45 import b45encode
from support_gate import PATIENCE_S, Gate, amend, readers_of

from gate.demo.parts import wait_for
from gate.demo.site import ENTRY_PIN, EXIT_PIN, PEOPLE, DemoSite
from gate.drivers.camera_wire import MESSAGE_MAX_BYTES, Alive, Code, encode
from gate.drivers.keypad import Entry, KeypadSettings
from gate.inbox import SCANS_MAX
from gate.model import PAYLOAD_MAX_BYTES, EventKind

PAYLOADS = 10_000
GROWTH_MAX_KIB = 4096
"""What the daemon's resident memory may grow by from the first thousand payloads to the last."""
WARM_UP = 1000
AT_ONCE = SCANS_MAX // 2
"""So many codes are under way at most, so that the inbox drops none and each is really judged."""

ALIVE = encode(Alive(frames=1, frame_age_s=0.0))
NO_MESSAGES = (b"\xc1", b"\x81\xa4type\xa4\xff\xff\xff\xff", b"\x81" * 60_000, encode(Code(b"x", 1))[:-1],
               encode(Code(b"x", 1)) + b"\0", encode(Alive(0, 0.0)).replace(b"alive", b"ALIVE"),
               b"\0" * MESSAGE_MAX_BYTES, b"GP1:", b"{}")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


# --- what is read ------------------------------------------------------------------------------------------


def nasty(rng: Random) -> bytes:
    """Something that some parser would choke on."""
    depth = rng.randint(1, PAYLOAD_MAX_BYTES)
    return rng.choice([
        b"", b"\0", b"GP1:", b"GP1:" + b"%" * depth, b"|" * depth, b"9" * depth, b"-" * depth, b"[" * depth,
        b"GP1:" + b45encode(b"\x81" * (depth // 2)),
        b"GP1:" + b45encode(b"\xd2\x84" + b"\x5f" * (depth // 2)),
        b"GP1:" + b45encode(b"\xd2\x84\x43\xa1\x01\x27\xa0\x5b" + b"\xff" * 8 + rng.randbytes(rng.randint(0, 99))),
        b"GP1:" + b45encode(rng.randbytes(depth // 2)),
        "１２３４５６７８９０１２".encode(), "\u202e\ufeff\u0000|".encode() * (depth // 16), b"\xff\xfe" * (depth // 2),
        b"1" * (PAYLOAD_MAX_BYTES + depth),
    ])


def mutated(code: bytes, rng: Random) -> bytes:
    """A good code with one to four wounds."""
    text = bytearray(code)
    for _ in range(rng.randint(1, 4)):
        at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        match rng.randrange(5):
            case 0 if at < len(text):
                text[at] ^= 1 << rng.randrange(8)
            case 1:
                text[at:at] = rng.randbytes(rng.randint(1, 8))
            case 2:
                del text[at:end]
            case 3:
                text[at:at] = text[at:end]
            case _:
                text[at:end] = text[at:end][::-1]
    return bytes(text)


def garbage(site: DemoSite) -> Iterator[bytes]:
    """Payloads, the same for each test: random, nasty and mutated.

    What still holds a listed number is left out, and so is a code that its wounds did not change: they may open.
    """
    rng = Random(20211001)
    codes = [code.encode() for code in site.codes.values()]
    listed = [number.encode() for number in (*re.findall(r"\d{12,18}", PEOPLE), site.codes["binh-so"])]
    while True:
        payload = rng.choice([
            lambda: rng.randbytes(int(2 ** rng.uniform(0, 12.2))),
            lambda: bytes(rng.choices(b"0123456789", k=rng.randint(1, 20))),
            lambda: nasty(rng),
            lambda: mutated(rng.choice(codes), rng),
            lambda: mutated(site.codes["an-pass"].encode(), rng),
        ])()
        if payload not in codes and not any(number in payload for number in listed):
            yield payload


# --- readers, as a device sees them ------------------------------------------------------------------------


class Device:
    """Reads payloads to the daemon's reader."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def read(self, payload: bytes) -> int:
        """Read one; how many codes the daemon has to judge then."""
        raise NotImplementedError

    def read_good(self) -> None:
        """Read a code that opens."""
        raise NotImplementedError


class Scanner(Device):
    """A serial scanner, which ends each code with CR LF."""

    def read(self, payload: bytes) -> int:
        frame = payload.translate(None, b"\r\n")
        self.gate.send("scanner-in", frame)
        return 0 < len(frame) <= PAYLOAD_MAX_BYTES

    def read_good(self) -> None:
        self.gate.scan("scanner-in", "an-pass")


class Pad(Device):
    """A number pad at which somebody hammers on every key."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._entry = Entry(KeypadSettings(source="line:x").digits_max, idle_s=60)

    def read(self, payload: bytes) -> int:
        keys = payload[:200] + b"#"
        numbers = [number for key in keys if (number := self._entry.press(key, 0.0)) is not None]
        if self.gate.site.codes["binh-so"].encode() in numbers:
            return 0
        self.gate.lines["keypad-in"].send(keys)
        return len(numbers)

    def read_good(self) -> None:
        self.gate.scan("keypad-in", "binh-so")


class StandIn(Device):
    """A camera process that finds whatever it is told to."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(socket_of(gate.site)))
        self._listener.listen()
        self._listener.settimeout(PATIENCE_S)

    def accept(self) -> None:
        """Wait for the daemon, and show it that the camera is there."""
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(PATIENCE_S)
        self._connection.send(ALIVE)

    def read(self, payload: bytes) -> int:
        self._connection.send(encode(Code(payload, len(payload))))
        return len(payload) <= PAYLOAD_MAX_BYTES

    def read_good(self) -> None:
        self.read(self.gate.site.codes["an-pass"].encode())

    def babble(self, packet: bytes) -> None:
        """Say what no camera process says; return once the daemon has hung up."""
        self._connection.send(packet)
        assert self._connection.recv(1) == b"", "the daemon listens on"
        self._connection.close()

    def close(self) -> None:
        self._connection.close()
        self._listener.close()


def socket_of(site: DemoSite) -> Path:
    """Where the daemon looks for its camera's process."""
    return site.folder / "camera.sock"


# --- the proofs --------------------------------------------------------------------------------------------


def survive(gate: Gate, device: Device) -> None:
    """Have `PAYLOADS` payloads read, and see that nothing comes of it but denials."""
    payloads = garbage(gate.site)
    judged, resident_kib = gate.last_seq(), 0
    for done in range(0, PAYLOADS, AT_ONCE):
        judged += sum(device.read(next(payloads)) for _ in range(AT_ONCE))
        wait_for("the answers", lambda judged=judged: gate.last_seq() >= judged, PATIENCE_S)
        if done <= WARM_UP:
            resident_kib = gate.resident_kib()
    assert gate.alive()
    assert gate.pulses(ENTRY_PIN) + gate.pulses(EXIT_PIN) == []
    assert gate.events(EventKind.ACCESS_GRANTED) == []
    assert gate.resident_kib() - resident_kib < GROWTH_MAX_KIB
    device.read_good()
    gate.wait_pulses(ENTRY_PIN, 1)


@pytest.fixture
def start(site: DemoSite, gate_of: Callable[[DemoSite], Gate]) -> Callable[..., Gate]:
    """Makes a gate with one reader of a site's, whose keys may be changed."""
    def make(driver: str, **keys: object) -> Gate:
        reader = next(iter(readers_of(site, driver)))
        # A locked keypad would judge nothing.
        amend(site, mqtt=None, readers=[reader | keys], admission={"lockout_s": 0.001, "lockout_max_s": 0.001})
        return gate_of(site)

    return make


def test_garbage_on_the_serial_line_opens_nothing_and_stops_nothing(start: Callable[..., Gate]) -> None:
    gate = start("serial", repeat_s=0, idle_gap_ms=2000).start()
    survive(gate, Scanner(gate))


def test_garbage_on_the_keypad_opens_nothing_and_stops_nothing(start: Callable[..., Gate]) -> None:
    gate = start("keypad", idle_s=60).start()
    survive(gate, Pad(gate))


def test_garbage_from_the_camera_opens_nothing_and_stops_nothing(start: Callable[..., Gate], site: DemoSite) -> None:
    gate = start("camera", socket=socket_of(site), stall_s=600)
    camera = StandIn(gate)
    gate.start()
    camera.accept()
    for packet in NO_MESSAGES:
        camera.babble(packet)
        camera.accept()
    survive(gate, camera)
    camera.close()
