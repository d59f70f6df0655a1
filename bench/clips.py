"""Clips of codes as people hold them up, made with a seed: 3 s of 1280x720 at 15 frames a second, hard to easy.

In each a code gets easier to read frame by frame, as it does when a camera focuses and a hand comes nearer and comes
to rest, so that a better reader has it earlier.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO
from math import cos, pi, radians, sin
from typing import Any

import segno
from PIL import Image, ImageChops, ImageFilter

WIDTH, HEIGHT, FRAMES = 1280, 720, 45
NOISE_LEVELS = 6
_CODE_PX = 8
"""Pixels a module in the picture that is put into the scene."""
_NOISE = Image.frombytes("L", (2 * WIDTH, 2 * HEIGHT), random.Random(0).randbytes(4 * WIDTH * HEIGHT)).point(
    lambda level: level * 2 * NOISE_LEVELS // 255)

Point = tuple[float, float]
Clip = Callable[[float, "Scene"], Image.Image]
"""One moment of a clip, 0 its first frame and 1 its last."""


class Scene:
    """What stays the same through one clip: the code, where it is held, and how."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.payload = f"GP1:{rng.randbytes(45).hex().upper()}".encode()
        self.centre = rng.uniform(500, 780), rng.uniform(300, 420)
        self.tilt = radians(rng.uniform(-25, 25))
        self.shade = rng.randrange(70, 130)

    def hold(
        self, whole: Image.Image, module_px: float, yaw: float = 0.0, at: Point = (0, 0), blur_px: float = 0.0,
    ) -> Image.Image:
        """The code before the wall, so large, turned away by `yaw` radians, beside its place by `at`, out of focus."""
        wall = Image.new("L", (WIDTH, HEIGHT), self.shade)
        side = whole.width / _CODE_PX * module_px
        corners = []
        for across, down in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
            nearness = side / (1 + 0.5 * across * sin(yaw))
            x, y = across * cos(yaw) * nearness, down * nearness
            corners.append((self.centre[0] + at[0] + x * cos(self.tilt) - y * sin(self.tilt),
                            self.centre[1] + at[1] + x * sin(self.tilt) + y * cos(self.tilt)))
        xs, ys = zip(*corners, strict=True)
        left, top, right, bottom = int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1
        near = max(1, int(_CODE_PX / module_px))
        small = whole.reduce(near)
        mapping = _perspective([(x - left, y - top) for x, y in corners], small.width)
        size = (right - left, bottom - top)
        held = small.transform(size, Image.Transform.PERSPECTIVE, mapping, Image.Resampling.BICUBIC)
        paper = Image.new("L", small.size, 255).transform(size, Image.Transform.PERSPECTIVE, mapping)
        wall.paste(held, (left, top), paper)
        if blur_px:
            margin = int(3 * blur_px) + 1
            place = left - margin, top - margin, right + margin, bottom + margin
            wall.paste(wall.crop(place).filter(ImageFilter.GaussianBlur(blur_px)), place)
        return wall


def frames(name: str, seed: int) -> Iterator[Image.Image]:
    """The clip of that name, each time the same for one seed."""
    scene = Scene(random.Random(f"{name} {seed}"))
    for number in range(FRAMES):
        left, top = scene.rng.randrange(WIDTH), scene.rng.randrange(HEIGHT)
        noise = _NOISE.crop((left, top, left + WIDTH, top + HEIGHT))
        yield ImageChops.add(CLIPS[name](number / (FRAMES - 1), scene), noise, offset=-NOISE_LEVELS)


def moving(moment: float, scene: Scene) -> Image.Image:
    """Carried across the view, slower and slower; the shutter is open for a third of a frame."""
    speed_px = 120 * (1 - moment) + 4
    return _smeared(scene.hold(code(scene.payload), 4, at=(-1500 * (1 - moment) ** 2 * 0.3, 0)), speed_px / 3)


def blurred(moment: float, scene: Scene) -> Image.Image:
    """A camera that finds its focus."""
    return scene.hold(code(scene.payload), 4, blur_px=5.5 - 4.5 * moment)


def dim(moment: float, scene: Scene) -> Image.Image:
    """A screen with its light turned down, in the dark; the camera's exposure follows."""
    light = 4 + 40 * moment
    return scene.hold(code(scene.payload), 4).point(lambda level: int(10 + light * level / 255))


def at_an_angle(moment: float, scene: Scene) -> Image.Image:
    """Turned towards the lens."""
    return scene.hold(code(scene.payload), 4, yaw=radians(82 - 40 * moment))


def screen(moment: float, scene: Scene) -> Image.Image:
    """A phone's screen: its grid beats with the sensor's (moire), and its light flickers in bands."""
    whole = code(scene.payload)
    grid = Image.new("L", whole.size, 255)
    for line in range(0, whole.width, 3):
        grid.paste(int(40 + 120 * moment), (line, 0, line + 1, whole.height))
    near = scene.hold(ImageChops.multiply(whole, grid), 3.2 + 1.2 * moment)
    band = [int(175 + 75 * sin(2 * pi * (row / 90 + 7 * moment))) for row in range(HEIGHT)]
    bands = Image.frombytes("L", (1, HEIGHT), bytes(band)).resize((WIDTH, HEIGHT))
    return ImageChops.multiply(near, bands)


def small(moment: float, scene: Scene) -> Image.Image:
    """Held far away, and brought nearer."""
    return scene.hold(code(scene.payload), 1 + 1.5 * moment, blur_px=0.6)


def inverted(moment: float, scene: Scene) -> Image.Image:
    """Light on dark, as a phone in its dark mode shows it, out of focus at first."""
    scene.shade = 20
    return scene.hold(ImageChops.invert(code(scene.payload)), 4, blur_px=5 - 4 * moment)


def dense(moment: float, scene: Scene) -> Image.Image:
    """A certificate signed with PS256, some 900 letters, brought nearer."""
    letters = random.Random(scene.payload).choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", k=900)
    return scene.hold(code(b"HC1:" + "".join(letters).encode()), 1 + 1.5 * moment, blur_px=0.8)


def crumpled(moment: float, scene: Scene) -> Image.Image:
    """A print on cloth, pulled straight bit by bit."""
    whole = code(scene.payload)
    depth_px, way, step = 0.07 * (1 - moment) * whole.width, 9 * scene.tilt + 5 * moment, whole.width // 16

    def place(x: float, y: float) -> Point:
        push_px = depth_px * sin(pi * x / whole.width) * sin(pi * y / whole.height)
        return x + push_px * cos(way), y + push_px * sin(way)

    mesh: list[Any] = []
    for left in range(0, whole.width, step):
        for top in range(0, whole.height, step):
            right, bottom = min(left + step, whole.width), min(top + step, whole.height)
            mesh.append(((left, top, right, bottom),
                         (*place(left, top), *place(left, bottom), *place(right, bottom), *place(right, top))))
    creased = whole.transform(whole.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    return scene.hold(creased, 4, blur_px=0.8)


@lru_cache(maxsize=4)
def code(payload: bytes) -> Image.Image:
    """A code with its quiet zone."""
    file = BytesIO()
    segno.make_qr(payload, error="m").save(file, kind="png", scale=_CODE_PX, border=4)
    return Image.open(file).convert("L")


def _smeared(image: Image.Image, length_px: float) -> Image.Image:
    """Blurred along its way, by so many pixels to the right."""
    smeared = image
    for part in range(1, max(2, int(length_px / 2))):
        smeared = Image.blend(smeared, ImageChops.offset(image, int(part * 2), 0), 1 / (part + 1))
    return smeared


def _perspective(corners: list[Point], side: int) -> tuple[float, ...]:
    """Pillow's eight numbers, from the image to a square of that side; Gauss on the four pairs of points."""
    square = ((0, 0), (side, 0), (side, side), (0, side))
    rows = []
    for (x, y), (u, v) in zip(corners, square, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, u], [0, 0, 0, x, y, 1, -v * x, -v * y, v]]
    for pivot in range(8):
        best = max(range(pivot, 8), key=lambda row: abs(rows[row][pivot]))
        rows[pivot], rows[best] = rows[best], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for row in range(8):
            if row != pivot:
                share = rows[row][pivot]
                rows[row] = [value - share * other for value, other in zip(rows[row], rows[pivot], strict=True)]
    return tuple(row[8] for row in rows)


CLIPS: dict[str, Clip] = {
    "moving": moving, "blurred": blurred, "dim": dim, "at an angle": at_an_angle, "screen, moire": screen,
    "small": small, "inverted, blurred": inverted, "dense": dense, "crumpled": crumpled,
}
