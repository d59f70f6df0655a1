"""Photographs of codes, each turned four ways: what engines read of them, and in which time.

`python -m bench.photos` prints the table of docs/camera.md; OpenCV joins where `make photos` has fetched it. The
photographs are public ones (`../shared/data/qr-photos`) and no part of this repository.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image
from pyzbar import pyzbar

from bench.figure import Figure, Setup, cost, rate
from gate.decoder.frame import Frame, frame_of
from gate.decoder.ladder import LadderReader, ThoroughReader
from gate.decoder.zxing import ZxingReader
from gate.drivers.images import load_image

PHOTOS = Path(__file__).resolve().parents[1] / "../shared/data/qr-photos"
OPENCV = Path(__file__).resolve().parents[1] / ".venv-opencv"
SUFFIXES = (".png", ".jpg", ".webp")
ENCODINGS = ("utf-8", "cp932", "latin-1", "gb18030")
"""In which the photographs' codes write what the files beside them say in UTF-8."""
ALL = "all"
LADDER, ZXING, PYZBAR = "ladder", "zxing-cpp", "pyzbar"

Engine = Callable[[Frame], Sequence[bytes | str]]


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph, turned one way; `text` is what its code says, where the set tells."""

    kind: str
    frame: Frame
    text: str | None


class Tally:
    """What each engine read of each set, what of it was wrong, and its seconds of CPU."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.read: Counter[tuple[str, str]] = Counter()
        self.wrong: Counter[str] = Counter()
        self.taken_s: defaultdict[str, float] = defaultdict(float)

    def ms(self, engine: str) -> float:
        """Mean of all photographs."""
        return 1e3 * self.taken_s[engine] / self.reads[ALL]


def run(setup: Setup) -> Iterator[Figure]:
    """The ladder against each engine by itself."""
    if not PHOTOS.is_dir():
        setup.say(f"photos: left out, {PHOTOS} is not there")
        return
    single = {ZXING: zxing, PYZBAR: zbar}
    tally = measure({LADDER: ladder, **single}, rounds=setup.runs(6, 1), most=setup.runs(10**9, 20))
    yield cost("photographs: the ladder's mean, against zxing-cpp", tally.ms(LADDER), tally.ms(ZXING), limit=1.3,
               runs=tally.reads[ALL])
    for kind, reads in tally.reads.items():
        best = max(tally.read[name, kind] for name in single)
        yield rate(f"photographs read, {kind}, against the best engine alone", tally.read[LADDER, kind], best, limit=1,
                   unit="reads", runs=reads)


def measure(engines: dict[str, Engine], rounds: int, most: int = 10**9) -> Tally:
    """Show `most` photographs to each engine `rounds` times; of the times of one reading the shortest counts."""
    tally = Tally()
    for number, photograph in enumerate(photographs()):
        if number == most:
            break
        tally.reads.update((photograph.kind, ALL))
        taken_s: dict[str, list[float]] = {name: [] for name in engines}
        found: dict[str, Sequence[bytes | str]] = {}
        for _ in range(rounds):
            for name in random.sample(list(engines), len(engines)):  # whoever comes first meets cold pixels
                began = time.process_time()
                found[name] = engines[name](photograph.frame)
                taken_s[name].append(time.process_time() - began)
        for name in engines:
            tally.taken_s[name] += min(taken_s[name])
            tally.read.update(((name, photograph.kind), (name, ALL)) if found[name] else ())
            tally.wrong[name] += not _says(found[name], photograph.text)
    return tally


def photographs() -> Iterator[Photograph]:
    """Every photograph with a code, by set and name, upright and turned by a quarter three times."""
    for file in sorted(PHOTOS.rglob("*")):
        if file.suffix not in SUFFIXES or "falsepositives" in file.parent.name:
            continue
        parts = file.relative_to(PHOTOS).parts
        text = file.with_suffix(".txt")
        frame = load_image(file)
        upright = Image.frombytes("L", (frame.width, frame.height), bytes(frame.luma))
        for quarter in range(4):
            turned = upright.rotate(90 * quarter, expand=True)
            yield Photograph(parts[0] if parts[0] == "boofcv" else "/".join(parts[:-1]), frame_of(turned),
                             text.read_text() if text.is_file() else None)


def _says(found: Sequence[bytes | str], text: str | None) -> bool:
    """Whether one of these is the text, or there is nothing to compare."""
    if not found or text is None:
        return True
    plain = text.split()
    for payload in found:
        for encoding in ENCODINGS:
            with suppress(UnicodeDecodeError):
                if (payload if isinstance(payload, str) else payload.decode(encoding)).split() == plain:
                    return True
    return False


def ladder(frame: Frame) -> Sequence[bytes]:
    """A camera's first frame."""
    return [symbol.payload for symbol in LadderReader().read(frame)]


def zxing(frame: Frame) -> Sequence[bytes]:
    """zxing-cpp called once, QR Code Model 2 only."""
    return [symbol.payload for symbol in _ZXING.read(frame)]


def zbar(frame: Frame) -> Sequence[bytes]:
    """pyzbar as its documentation shows it, QR codes only."""
    return [code.data for code in pyzbar.decode((frame.packed(), frame.width, frame.height),
                                                symbols=[pyzbar.ZBarSymbol.QRCODE])]


def thorough(frame: Frame) -> Sequence[bytes]:
    """`gate decode`."""
    return [symbol.payload for symbol in _THOROUGH.read(frame)]


def opencv() -> dict[str, Engine]:
    """OpenCV's detectors, where they are installed; WeChat's without its neural networks."""
    sys.path.append(str(OPENCV))
    try:
        cv2: Any = import_module("cv2")
        numpy: Any = import_module("numpy")
    except ImportError:
        print("without OpenCV: make photos", file=sys.stderr)
        return {}

    def shown(frame: Frame) -> Any:
        return numpy.frombuffer(frame.luma, numpy.uint8).reshape(frame.height, frame.stride)[:, :frame.width]

    def several(detector: Any) -> Engine:
        return lambda frame: [text for text in detector.detectAndDecodeMulti(shown(frame))[1] if text]

    def wechat(frame: Frame) -> Sequence[str]:
        try:
            return list(scanner.detectAndDecode(shown(frame))[0])
        except UnicodeDecodeError:
            return ["read, and not in UTF-8"]

    scanner = cv2.wechat_qrcode.WeChatQRCode()
    return {"OpenCV": several(cv2.QRCodeDetector()), "OpenCV, ArUco": several(cv2.QRCodeDetectorAruco()),
            "OpenCV, WeChat": wechat}


def main() -> None:
    """Print the table, a column for each engine."""
    engines = {"`gate decode`": thorough, LADDER: ladder, ZXING: zxing, PYZBAR: zbar, **opencv()}
    tally = measure(engines, rounds=2)
    print("| photographs | reads |", " | ".join(engines), "|")
    print("|---" * (2 + len(engines)) + "|")
    for kind in (*(kind for kind in tally.reads if kind != ALL), ALL):
        print(f"| {kind} | {tally.reads[kind]} |", " | ".join(str(tally.read[name, kind]) for name in engines), "|")
    print("| share | |", " | ".join(f"{tally.read[name, ALL] / tally.reads[ALL]:.1%}" for name in engines), "|")
    print("| mean, ms | |", " | ".join(f"{tally.ms(name):.2f}" for name in engines), "|")
    print("| times zxing-cpp | |", " | ".join(f"{tally.ms(name) / tally.ms(ZXING):.2f}" for name in engines), "|")
    print("\nnot what the set says:", dict(tally.wrong), file=sys.stderr)


_ZXING, _THOROUGH = ZxingReader(), ThoroughReader()

if __name__ == "__main__":
    main()
