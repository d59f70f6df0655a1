"""What a code costs to read and prove, against the one signature check that no gate can do without."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figure import Figure, Setup, cost, interleaved, p50
from bench.people import Issuer
from gate import decoder, trust

PERSONAL_QR = b"001093029317|NGUYEN VAN A|1987-01-18|0|162979388586171100|<1<00<0123232422"
ID_CARD = "079090000010||Trần Văn Bình|01011990|Nam|Quận 7, TP. Hồ Chí Minh|15102021".encode()


def run(setup: Setup) -> Iterator[Figure]:
    """Our own pass from text to proved claims, and the two printed codes that prove nothing by themselves."""
    issuer, rounds = Issuer(), setup.runs(5_000, 20)
    keyring, key = issuer.keyring, issuer.private_key.public_key()
    passes = [issuer.issue(number) for number in range(64)]
    message = bytes(200)
    signature = issuer.private_key.sign(message)
    turn = iter(range(10**9))
    taken = interleaved({
        "Ed25519": lambda: key.verify(signature, message),
        "GP1 pass": lambda: trust.verify(decoder.read(passes[next(turn) % len(passes)]), keyring),
        "personal QR": lambda: decoder.read(PERSONAL_QR),
        "ID card": lambda: decoder.read(ID_CARD),
    }, rounds)
    floor = p50(taken.pop("Ed25519"))
    for name, seconds in taken.items():
        what = "verified" if name == "GP1 pass" else "parsed"
        yield cost(f"{name} {what}, against one Ed25519 check", 1e6 * p50(seconds), 1e6 * floor, unit="us", runs=rounds)
