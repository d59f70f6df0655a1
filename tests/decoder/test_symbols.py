"""Pixels to payloads: what each engine reads of codes as people show them."""

from __future__ import annotations

import random
from io import BytesIO
from math import pi, sin

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gate.decoder.engines import open_reader
from gate.decoder.frame import AREA_MAX_PX2, SIDE_MAX_PX, Frame
from gate.decoder.straight import BULGES, MODULES_MAX, flattened
from gate.decoder.symbols import Corners, Symbol, SymbolReader
from gate.decoder.zxing import ZxingReader
from gate.errors import UsageError

ENGINES = ("zxing", "zbar", "ladder")
CITIZEN_CARD = "001093029317||Nguyễn Văn Ánh|18011987|Nam|Tổ 5, Đường Lê Lợi, Quận 1|01012021".encode()

every_engine = pytest.mark.parametrize("engine", ENGINES)


def code(payload: bytes, scale: int = 5) -> Image.Image:
    """A QR of `payload`, `scale` pixels a module."""
    return picture(segno.make_qr(payload, mode="byte", error="m"), scale)


def picture(symbol: segno.QRCode, scale: int = 5) -> Image.Image:
    file = BytesIO()
    symbol.save(file, kind="png", scale=scale, border=4)
    return Image.open(file).convert("L")


def scene(*codes: Image.Image, ground: int = 255) -> Image.Image:
    """Codes side by side on a wall."""
    wall = Image.new("L", (sum(image.width + 40 for image in codes), max(image.height for image in codes)), ground)
    left = 20
    for image in codes:
        wall.paste(image, (left, 0))
        left += image.width + 40
    return wall


def frame(image: Image.Image, padding: int = 0) -> Frame:
    """The image in memory, with `padding` bytes after each row, as cameras align them."""
    pixels, width = image.tobytes(), image.width
    rows = (pixels[start:start + width] + b"\x00" * padding for start in range(0, len(pixels), width))
    return Frame(memoryview(b"".join(rows)), width, image.height, width + padding)


def payloads(reader: SymbolReader, image: Image.Image) -> list[bytes]:
    return [symbol.payload for symbol in reader.read(frame(image))]


@every_engine
def test_vietnamese_letters_arrive_byte_for_byte(engine: str) -> None:
    assert payloads(open_reader(engine), code(CITIZEN_CARD)) == [CITIZEN_CARD]


@every_engine
@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=80))
def test_any_bytes_arrive_as_they_were_printed(engine: str, payload: bytes) -> None:
    assert payloads(open_reader(engine), code(payload, scale=4)) == [payload]


@every_engine
def test_two_codes_in_view_come_largest_first(engine: str) -> None:
    view = scene(code(b"far", scale=3), code(b"near", scale=8))
    symbols = open_reader(engine).read(frame(view))
    assert [symbol.payload for symbol in symbols] == [b"near", b"far"]
    assert symbols[0].size_px2 > 5 * symbols[1].size_px2


@every_engine
def test_same_code_twice_in_view_is_one_symbol(engine: str) -> None:
    assert payloads(open_reader(engine), scene(code(b"twin", 4), code(b"twin", 6))) == [b"twin"]


@every_engine
def test_padded_rows_are_read(engine: str) -> None:
    assert [symbol.payload for symbol in open_reader(engine).read(frame(code(b"padded"), padding=51))] == [b"padded"]


@every_engine
def test_code_held_sideways_is_read(engine: str) -> None:
    assert payloads(open_reader(engine), code(b"turned").rotate(90)) == [b"turned"]


@every_engine
def test_empty_scene_has_no_symbol(engine: str) -> None:
    assert payloads(open_reader(engine), Image.new("L", (320, 240), 128)) == []


@every_engine
def test_micro_qr_is_not_read(engine: str) -> None:
    assert payloads(open_reader(engine), picture(segno.make_micro("12345"))) == []


@every_engine
def test_part_of_a_split_code_does_not_blind_the_lane(engine: str) -> None:
    """An incomplete structured-append symbol, which makes pyzbar's own `decode` raise."""
    part = picture(segno.make_sequence("A" * 60, symbol_count=3, error="l")[0])
    assert b"GP1:PASS" in payloads(open_reader(engine), scene(part, code(b"GP1:PASS")))


def test_light_code_on_dark_is_read() -> None:
    inverted = code(b"dark mode").point(lambda value: 255 - value)
    assert payloads(open_reader("ladder"), scene(inverted, ground=0)) == [b"dark mode"]


def crumpled(image: Image.Image, across: float, down: float) -> Image.Image:
    """As on crumpled cloth: the middle pushed aside by these shares of the side."""
    side, patches = image.width, []
    for top in range(0, side, 4):
        for left in range(0, side, 4):
            hump = side * sin(pi * left / side) * sin(pi * top / side)
            x, y = left - across * hump, top - down * hump
            patches.append(((left, top, left + 4, top + 4), (x, y, x, y + 4, x + 4, y + 4, x + 4, y)))
    return image.transform(image.size, Image.Transform.MESH, patches, Image.Resampling.BILINEAR, fillcolor=255)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_crumpled_code_is_laid_flat_and_read_at_once(turn: int) -> None:
    cloth = scene(crumpled(code(b"GP1:A-PASS-ON-CLOTH", scale=6), 0, 0.045).rotate(turn))
    assert payloads(open_reader("zxing"), cloth) == []
    assert payloads(open_reader("ladder"), cloth) == [b"GP1:A-PASS-ON-CLOTH"]


@pytest.mark.parametrize("way", BULGES[:8])
def test_denser_crumpled_code_is_read_within_a_turn_of_all_ways(way: tuple[int, int]) -> None:
    """There is not the time for all ways in one frame."""
    pass_text = b"GP1:" + b"0123456789ABCDEF" * 6
    cloth = scene(crumpled(code(pass_text, scale=5), 0.02 * way[0], 0.02 * way[1]))
    ladder = open_reader("ladder")
    assert payloads(open_reader("zxing"), cloth) == []
    assert [pass_text] in [payloads(ladder, cloth) for _ in BULGES]


def test_sticker_that_cannot_be_read_takes_no_turn_from_a_crumpled_code_for_good() -> None:
    sticker = code(b"damaged" * 6, scale=3)
    sticker.paste(Image.new("L", (30, 30), 255), (36, 36))
    view = scene(crumpled(code(b"GP1:A-PASS-ON-CLOTH", scale=6), 0, 0.04), sticker)
    assert len(ZxingReader().look(frame(view)).unread) == 2
    ladder = open_reader("ladder")
    assert [b"GP1:A-PASS-ON-CLOTH"] in [payloads(ladder, view) for _ in range(2)]


def test_micro_qr_beside_a_symbol_that_cannot_be_read_is_survived() -> None:
    broken = code(b"damaged" * 6)
    broken.paste(Image.new("L", (90, 90), 255), (60, 60))
    assert payloads(open_reader("ladder"), scene(picture(segno.make_micro("12345"), 2), broken)) == []


@pytest.mark.parametrize(("corners", "modules"), [
    (((0, 0), (9, 0), (9, 0), (0, 0)), 21), (((0, 0), (90, 0), (90, 90), (0, 90)), 0),
    (((0, 0), (90, 0), (90, 90), (0, 90)), MODULES_MAX + 4),
])
def test_what_has_no_area_or_module_or_too_many_is_not_laid_flat(corners: Corners, modules: int) -> None:
    assert list(flattened(Image.new("L", (100, 100)), corners, modules, BULGES)) == []


def test_ladder_keeps_what_zxing_read_when_it_climbs() -> None:
    broken = code(b"damaged" * 20)
    broken.paste(Image.new("L", (90, 90), 255), (60, 60))
    view = scene(code(b"whole"), broken)
    assert ZxingReader().look(frame(view)).unread, "the damaged one is seen"
    assert payloads(open_reader("ladder"), view) == [b"whole"]


def test_unknown_engine_is_refused_with_the_choice() -> None:
    with pytest.raises(UsageError, match="ladder, zxing, zbar"):
        open_reader("opencv")


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (SIDE_MAX_PX + 1, 1), (1, SIDE_MAX_PX + 1),
                                               (SIDE_MAX_PX, AREA_MAX_PX2 // SIDE_MAX_PX + 1)])
def test_frame_past_its_limits_is_refused(width: int, height: int) -> None:
    with pytest.raises(UsageError, match="each side may be"):
        Frame(bytes(width * height), width, height, width)


@pytest.mark.parametrize(("luma_bytes", "stride"), [(99, 10), (100, 9), (109, 11)])
def test_frame_with_too_few_bytes_is_refused(luma_bytes: int, stride: int) -> None:
    with pytest.raises(UsageError, match="too few"):
        Frame(bytes(luma_bytes), 10, 10, stride)


@every_engine
@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 90), height=st.integers(1, 90), seed=st.integers(0, 1 << 32))
def test_noise_of_any_shape_is_survived(engine: str, width: int, height: int, seed: int) -> None:
    noise = random.Random(seed).randbytes(width * height)
    assert all(isinstance(symbol, Symbol) for symbol in open_reader(engine).read(Frame(noise, width, height, width)))
