"""Image files: photographs are read, and whatever else is offered is refused in words."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
import segno
import zxingcpp
from PIL import Image

from gate.decoder.engines import open_reader
from gate.decoder.frame import AREA_MAX_PX2
from gate.drivers import images
from gate.drivers.images import load_image, read_image
from gate.errors import UsageError

PHOTOS = Path(__file__).resolve().parents[2] / "../shared/data/qr-photos"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared QR photographs are not here")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "ppm"])
def test_image_of_each_kind_is_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"code.{kind}"
    segno.make_qr("GP1:PASS").save(str(tmp_path / "code.png"), scale=6, border=4)
    Image.open(tmp_path / "code.png").convert("RGB").save(file)
    assert [symbol.payload for symbol in read_image(file)] == [b"GP1:PASS"]


def test_transparent_background_counts_as_paper(tmp_path: Path) -> None:
    file = tmp_path / "sticker.png"
    segno.make_qr("GP1:PASS").save(str(file), scale=6, border=4, light=None)
    assert [symbol.payload for symbol in read_image(file)] == [b"GP1:PASS"]


def test_aztec_code_is_read_in_an_image_and_by_no_camera(tmp_path: Path) -> None:
    code = zxingcpp.create_barcode("HC1:PASS", zxingcpp.BarcodeFormat.Aztec)
    drawn = memoryview(code.to_image(scale=5, add_quiet_zones=True))
    height, width = drawn.shape
    Image.frombytes("L", (width, height), drawn.tobytes()).save(tmp_path / "aztec.png")
    assert [symbol.payload for symbol in read_image(tmp_path / "aztec.png")] == [b"HC1:PASS"]
    assert open_reader("ladder").read(load_image(tmp_path / "aztec.png")) == []


def test_image_without_a_code_has_no_symbol(tmp_path: Path) -> None:
    Image.new("L", (64, 64), 200).save(tmp_path / "wall.png")
    assert read_image(tmp_path / "wall.png") == []


def test_absent_file_and_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.png", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="not there"):
            load_image(path)


def test_text_called_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not pixels")
    with pytest.raises(UsageError, match=r"'notes\.png' is damaged, or not an image"):
        load_image(tmp_path / "notes.png")


def test_image_cut_short_anywhere_is_refused_or_read_whole(tmp_path: Path) -> None:
    segno.make_qr("GP1:PASS").save(str(tmp_path / "code.png"), scale=2, border=4)
    whole, cut = (tmp_path / "code.png").read_bytes(), tmp_path / "cut.png"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        try:
            assert [symbol.payload for symbol in read_image(cut)] == [b"GP1:PASS"]
        except UsageError as error:
            assert "cut.png" in str(error)


def test_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """8,000 x 8,000 white pixels in a few kB: nothing of it is unpacked."""
    width = height = 8_000
    assert width * height > AREA_MAX_PX2

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 0, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"no pixels"))
    with pytest.raises(UsageError, match=r"'bomb\.png': an image of 8000 x 8000 px"):
        load_image(tmp_path / "bomb.png")


def test_file_past_its_limit_is_refused_unopened(tmp_path: Path) -> None:
    with (tmp_path / "long.png").open("wb") as file:
        file.truncate(images.IMAGE_MAX_BYTES + 1)
    with pytest.raises(UsageError, match=f"an image may have {images.IMAGE_MAX_BYTES}"):
        load_image(tmp_path / "long.png")


@needs_photos
def test_photographs_are_read_and_nothing_is_read_where_nothing_is() -> None:
    photos = [path for path in PHOTOS.rglob("*") if path.suffix in (".png", ".jpg", ".webp")]
    read = {path for path in photos if read_image(path)}
    assert not [path for path in read if "falsepositives" in path.parent.name]
    assert len(read) >= 215, "of 247 photographs; 217 when this was written"
