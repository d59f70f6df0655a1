"""The benchmarks behind `gate bench`: each figure stands against a floor or a peer that ran in the same minutes.

A benchmark is one file here with `run(setup) -> Iterator[Figure]`, and one line in BENCHES. Floors are written as
somebody in a hurry would write them, and as fast as that goes: `straight.py` is the whole gate in forty lines.
"""

from __future__ import annotations

BENCHES = {
    "scan": "bench.scan_to_relay",
    "camera": "bench.camera",
    "photos": "bench.photos",
    "video": "bench.video",
    "ledger": "bench.ledger",
    "drain": "bench.drain",
    "recorder": "bench.recorder",
    "start": "bench.start",
    "codes": "bench.codes",
    "decision": "bench.decision",
    "documents": "bench.documents",
    "hostile": "bench.hostile",
    "command": "bench.command",
}
"""Name on the command line -> the module that measures it."""
