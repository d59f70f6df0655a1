"""Frames of a camera: an empty scene against zxing-cpp and pyzbar called once; a still one; the worst."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from statistics import fmean

import segno
import zxingcpp
from PIL import Image, ImageChops, ImageFilter
from pyzbar import pyzbar

from bench.figure import WARM_UP, Figure, Setup, cost, interleaved, p50
from gate.decoder.frame import Frame
from gate.decoder.ladder import LadderReader
from gate.decoder.still import LOOK_EVERY, StillReader

WIDTH, HEIGHT = 1280, 720
SCENES = 16


def run(setup: Setup) -> Iterator[Figure]:
    """The ladder, which is what a gate's camera uses unless the config names another engine."""
    rounds = setup.runs(600, 16)
    rng = random.Random(1)
    empty = [_frame(_wall(rng)) for _ in range(SCENES)]
    turns = {name: iter(range(10**9)) for name in ("ours", "zxing-cpp", "pyzbar")}
    ladder, still = LadderReader(), StillReader(LadderReader())

    def shown(name: str) -> Frame:
        return empty[next(turns[name]) % SCENES]

    taken = interleaved({
        "ours": lambda: ladder.read(shown("ours")),
        "zxing-cpp": lambda: _zxing(shown("zxing-cpp")),
        "pyzbar": lambda: _zbar(shown("pyzbar")),
        "still": lambda: [still.read(empty[0]) for _ in range(LOOK_EVERY)],
    }, rounds)
    mean_ms = {name: 1e3 * fmean(seconds) for name, seconds in taken.items()}
    mean_ms["still"] /= LOOK_EVERY
    yield cost("empty frame, mean, against zxing-cpp", mean_ms["ours"], mean_ms["zxing-cpp"], limit=1.35, runs=rounds)
    yield cost("empty frame, mean, against pyzbar", mean_ms["ours"], mean_ms["pyzbar"], limit=round(1 / 9, 4),
               runs=rounds)
    yield cost("unchanged scene, mean, against zxing-cpp", mean_ms["still"], mean_ms["zxing-cpp"], limit=0.15,
               runs=rounds)
    yield _worst("worst frame of an empty scene, against the median", ladder, empty, rounds, limit=10)
    mixed = [*empty, *(_frame(_wall(rng, blur)) for blur in (0.5, 1.0, 1.6, 2.2))]
    yield _worst("worst frame with codes, some unreadable, against the median", ladder, mixed, rounds, limit=10)


def _worst(name: str, reader: LadderReader, frames: list[Frame], rounds: int, limit: float) -> Figure:
    """The frame that costs most: each by the median of its readings, so that a busy machine is nobody's frame."""
    taken: list[list[float]] = [[] for _ in frames]
    readings = max(3, rounds // len(frames))
    for number in range(WARM_UP + readings):
        for index, frame in enumerate(frames):
            began = time.perf_counter()
            reader.read(frame)
            if number >= WARM_UP:
                taken[index].append(1e3 * (time.perf_counter() - began))
    each = [p50(seconds) for seconds in taken]
    return cost(name, max(each), p50(each), limit=limit, runs=readings * len(frames))


def _wall(rng: random.Random, blur: float | None = None) -> Image.Image:
    """An evenly lit wall, its light unlike any other's; with a code on it, blurred, where `blur` is given."""
    shade = rng.randrange(80, 140)
    wall = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize((WIDTH, HEIGHT))
    wall = ImageChops.add(wall.point(lambda level: level // 8), Image.new("L", (WIDTH, HEIGHT), shade))
    if blur is not None:
        file = io.BytesIO()
        segno.make_qr(rng.randbytes(150), error="m").save(file, kind="png", scale=3, border=4)
        wall.paste(Image.open(file).convert("L").filter(ImageFilter.GaussianBlur(blur)), (500, 200))
    return wall


def _frame(image: Image.Image) -> Frame:
    return Frame(image.tobytes(), image.width, image.height, image.width)


def _zxing(frame: Frame) -> object:
    view = zxingcpp.ImageView(frame.luma, frame.width, frame.height, zxingcpp.ImageFormat.Lum, frame.stride, 1)
    return zxingcpp.read_barcodes(view, formats=zxingcpp.BarcodeFormat.QRCodeModel2,  # type: ignore[arg-type]
                                  try_rotate=False)


def _zbar(frame: Frame) -> object:
    return pyzbar.decode((frame.luma, frame.width, frame.height), symbols=[pyzbar.ZBarSymbol.QRCODE])
