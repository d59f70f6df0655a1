"""Frames that hold no code, and all that looks like one: the gate reads nothing in them.

    python -m tests.proofs.empty_frames --frames 100000 [--seed 1] [--thorough-every 20]

Noise, textures, print, other symbologies, QR modules without finder patterns, finder patterns without a QR, and the
hardest: symbols right in all their patterns whose content is random, so that only its checksum says that it is none.
Each frame is the first that its camera sees, so that every rung looks; one in so many is shown to the rungs of
`gate decode` too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

import segno
import zxingcpp
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from gate.decoder.frame import frame_of
from gate.decoder.ladder import LadderReader, ThoroughReader

WIDTH, HEIGHT = 320, 240
QUIET = 4
FINDER_MODULES = 7
LETTERS = "abcdeghiklmnopqrstuvxyGP0123456789   .,:-|"
OTHERS = {"Code128": "GP1-0123456789", "EAN13": "893123456789", "PDF417": "GP1:PASS", "DataMatrix": "GP1:PASS"}


def noise(rng: Random) -> Image.Image:
    """Pixels or blotches."""
    grain = rng.choice((1, 2, 3, 5, 9))
    size = WIDTH // grain, HEIGHT // grain
    blotches = _grey(rng, size) if rng.random() < 0.5 else _random_modules(rng, size)
    return blotches.resize((WIDTH, HEIGHT), rng.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC)))


def texture(rng: Random) -> Image.Image:
    """Cloth, bricks, blinds: what repeats."""
    across, down = rng.randrange(2, 24), rng.randrange(2, 24)
    cell = _grey(rng, (across, down))
    wall = Image.new("L", (WIDTH, HEIGHT))
    for left in range(0, WIDTH, across):
        for top in range(0, HEIGHT, down):
            wall.paste(cell, (left, top))
    return wall


def text(rng: Random) -> Image.Image:
    """A page of print."""
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    size = rng.randrange(8, 28)
    lines = "\n".join("".join(rng.choices(LETTERS, k=40)) for _ in range(HEIGHT // size))
    ImageDraw.Draw(page).multiline_text((4, 4), lines, fill=0, font=_font(size))
    return page


def modules(rng: Random) -> Image.Image:
    """A QR's modules without any pattern to find it by."""
    return _printed(rng, _random_modules(rng, (33, 33)))


def finders(rng: Random) -> Image.Image:
    """Finder patterns by themselves, anywhere."""
    wall = Image.new("L", (WIDTH, HEIGHT), 255)
    for _ in range(rng.randrange(1, 7)):
        scale = rng.randrange(2, 6)
        side = scale * FINDER_MODULES
        pattern = _finder().resize((side, side), Image.Resampling.NEAREST)
        wall.paste(pattern, (rng.randrange(4, WIDTH - side - 4), rng.randrange(4, HEIGHT - side - 4)))
    return wall


def hollow(rng: Random) -> Image.Image:
    """A whole symbol by its patterns, format and version, its content replaced by random modules."""
    version = rng.randrange(1, 9)
    symbol, content = _symbol(version, rng.choice("lmqh"))
    return _printed(rng, Image.composite(_random_modules(rng, symbol.size), symbol, content))


def other(rng: Random) -> Image.Image:
    """A code of another symbology, Micro QR among them."""
    image = _other(rng.choice((*OTHERS, "Micro QR")))
    scale = rng.randrange(1, 4)
    return _printed(rng, image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST), scale=1)


SCENES: tuple[Callable[[Random], Image.Image], ...] = (noise, texture, text, modules, finders, hollow, other)


def run(
    frames: int, seed: int = 1, thorough_every: int = 20, say: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Frames of each kind, and the false reads in all of them."""
    rng, counts, thorough = Random(seed), Counter[str](), ThoroughReader()
    for number in range(frames):
        scene = SCENES[number % len(SCENES)]
        frame = frame_of(_as_seen(rng, scene(rng)))
        found = LadderReader().read(frame)
        if number // len(SCENES) % thorough_every == 0:
            found = found or thorough.read(frame)
        counts[scene.__name__] += 1
        counts["false reads"] += bool(found)
        if found:
            say(f"frame {number} ({scene.__name__}): {[symbol.payload for symbol in found]}")
        if number % 10_000 == 9_999:
            say(f"{number + 1} frames")
    return counts


def _as_seen(rng: Random, image: Image.Image) -> Image.Image:
    """Turned, blurred, dimmed or inverted."""
    if rng.random() < 0.3:
        image = image.rotate(rng.uniform(-45, 45), Image.Resampling.BILINEAR, fillcolor=image.getpixel((0, 0)))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.6)))
    if rng.random() < 0.2:
        low, range_levels = rng.randrange(0, 120), rng.randrange(20, 120)
        image = image.point(lambda level: low + level * range_levels // 255)
    return ImageChops.invert(image) if rng.random() < 0.2 else image


def _grey(rng: Random, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))


def _random_modules(rng: Random, size: tuple[int, int]) -> Image.Image:
    return _grey(rng, size).point(lambda level: 255 * (level > 127))


def _printed(rng: Random, image: Image.Image, scale: int | None = None) -> Image.Image:
    """On paper, with a light zone around it."""
    scale = scale or rng.randrange(2, max(3, HEIGHT // (image.height + 2 * QUIET)))
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    size = image.width * scale, image.height * scale
    page.paste(image.resize(size, Image.Resampling.NEAREST), ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return page


@cache
def _symbol(version: int, error: str) -> tuple[Image.Image, Image.Image]:
    """A symbol, a pixel a module, and where its content lies."""
    symbol = segno.make_qr("0", version=version, error=error, boost_error=False)
    patterns = {segno.consts.TYPE_DATA_DARK, segno.consts.TYPE_DATA_LIGHT}
    kinds = [list(row) for row in symbol.matrix_iter(border=0, verbose=True)]
    side = len(kinds)
    dark = bytes(0 if module else 255 for row in symbol.matrix for module in row)
    content = bytes(255 * (kind in patterns) for row in kinds for kind in row)
    return Image.frombytes("L", (side, side), dark), Image.frombytes("L", (side, side), content)


@cache
def _finder() -> Image.Image:
    return _symbol(1, "l")[0].crop((0, 0, FINDER_MODULES, FINDER_MODULES))


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


@cache
def _other(kind: str) -> Image.Image:
    if kind == "Micro QR":
        matrix = segno.make_micro("12345").matrix
        pixels = bytes(0 if module else 255 for row in matrix for module in row)
        return Image.frombytes("L", (len(matrix), len(matrix)), pixels)
    barcode = zxingcpp.create_barcode(OTHERS[kind], getattr(zxingcpp.BarcodeFormat, kind))
    picture = memoryview(zxingcpp.write_barcode_to_image(barcode, scale=1, add_quiet_zones=True))
    return Image.frombytes("L", (picture.shape[1], picture.shape[0]), picture.tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--thorough-every", type=int, default=20)
    chosen = parser.parse_args(arguments)
    counts = run(chosen.frames, chosen.seed, chosen.thorough_every,
                 lambda line: print(line, file=sys.stderr, flush=True))
    for name, count in counts.items():
        print(f"{name}: {count}")
    return bool(counts["false reads"])


if __name__ == "__main__":
    sys.exit(main())
