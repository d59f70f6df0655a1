"""The packages `cwt` and `pycose` at our job, in their own environment (`make crosscheck`); imports nothing of ours.

The first line on stdin is JSON: for each kind of code its key as PEM, its kid, and texts. Every further line, JSON too,
asks one package to read one kind so many times; the answer is one line, the seconds of each. `first` is where in the
texts to begin. Both do what the gate does from text to proved claims, except that nobody looks into the claims.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import cbor2
import cwt
from base45 import b45decode
from pycose.headers import KID
from pycose.keys import CoseKey
from pycose.messages import CoseMessage

TAG_18 = b"\xd2"  # neither package reads a message without it


def main() -> None:
    """Answer until stdin ends."""
    kinds: dict[str, Any] = json.loads(sys.stdin.readline())
    readers: dict[tuple[str, str], Callable[[bytes], object]] = {}
    for name, kind in kinds.items():
        kid = bytes.fromhex(kind["kid"])
        readers["cwt", name] = with_cwt(kind["pem"], kid, kind["algorithm"])
        readers["pycose", name] = with_pycose(kind["pem"], kid)
    for line in sys.stdin:
        asked = json.loads(line)
        texts = [text.encode() for text in kinds[asked["kind"]]["texts"]]
        read, taken = readers[asked["package"], asked["kind"]], []
        for turn in range(asked["runs"]):
            text = texts[(asked["first"] + turn) % len(texts)]
            began = time.perf_counter()
            read(text)
            taken.append(time.perf_counter() - began)
        print(json.dumps(taken), flush=True)


def with_cwt(pem: str, kid: bytes, algorithm: str) -> Callable[[bytes], object]:
    """Finds the key, verifies and reads with `cwt`."""
    key, codec = cwt.COSEKey.from_pem(pem, kid=kid, alg=algorithm), cwt.CWT.new()
    return lambda text: codec.decode(unwrapped(text), [key])


def with_pycose(pem: str, kid: bytes) -> Callable[[bytes], object]:
    """The same with `pycose`."""
    keys = {kid: CoseKey.from_pem_public_key(pem)}

    def read(text: bytes) -> object:
        message = CoseMessage.decode(unwrapped(text))
        message.key = keys[message.phdr[KID]]
        if not message.verify_signature():
            raise ValueError("pycose does not verify our code")
        return cbor2.loads(message.payload)

    return read


def unwrapped(text: bytes) -> bytes:
    """The COSE message in a pass or a certificate."""
    data = b45decode(text[4:])
    if text.startswith(b"HC1:"):
        data = zlib.decompress(data)
    return data if data.startswith(TAG_18) else TAG_18 + data


if __name__ == "__main__":
    main()
