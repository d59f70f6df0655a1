"""The floor of a scan: the same work in a straight line, with no thread, queue, format, rule, chain or error in it.

    python -m bench.straight PORT ROSTER PUBLIC_KEY_HEX DATABASE PIN_TRACE PULSE_S
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import base45
import cbor2
import serial
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from gpiozero import OutputDevice

from gate.drivers.pin_trace import tracing_factory

PIN = 17


def main(arguments: list[str]) -> None:
    """Open everything, then serve the scanner for ever."""
    port, roster, public_key, database, trace, pulse_s = arguments
    line = serial.Serial(port, 9600, exclusive=True)
    people = sqlite3.connect(f"file:{roster}?mode=ro&immutable=1", uri=True)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    db = sqlite3.connect(database, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "CREATE TABLE event (seq INTEGER PRIMARY KEY, at REAL, holder TEXT, body TEXT)")
    relay = OutputDevice(PIN, pin_factory=tracing_factory(Path(trace)))
    received = b""
    while True:
        received += line.read(line.in_waiting or 1)
        if not received.endswith(b"\r\n"):
            continue
        protected, _, payload, signature = cbor2.loads(base45.b45decode(received.strip().removeprefix(b"GP1:")))
        received = b""
        key.verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))
        claims = cbor2.loads(payload)
        found = people.execute("SELECT id, areas FROM holder WHERE id = ?", (claims[2],)).fetchone()
        if found and claims[4] > time.time():
            db.execute("INSERT INTO event (at, holder, body) VALUES (?, ?, ?)", (time.time(), found[0], repr(claims)))
            relay.on()
            time.sleep(float(pulse_s))
            relay.off()


if __name__ == "__main__":
    main(sys.argv[1:])
