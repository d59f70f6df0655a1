"""A pass as people carry it: it must read back, fit a card, and show a Vietnamese name whole."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from PIL import Image

from gate.central import cards
from gate.central.cards import Card, make_symbol, write_cards, write_png, write_sheets, write_svg
from gate.central.issuing import IssuedPass
from gate.central.pass_files import Carried
from gate.clock import SHIFT_START
from gate.decoder.gp1 import PASS_MAX_CHARS
from gate.errors import UsageError

LONGEST = "GP1:" + "8/73$C7H7BH:KL" * 22
LONGEST = LONGEST[:PASS_MAX_CHARS]
CARD = Card(LONGEST, "NGUYỄN HOÀNG PHƯƠNG THẢO", "Công ty TNHH Điện tử Tân Thuận", "22/05/2027", "3F2A 91C0", "KCN")
needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="needs poppler-utils to draw the PDF")


def read_all(image: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(image)]


def drawn(pdf: Path, dpi: int = 150) -> list[Image.Image]:
    subprocess.run(["pdftoppm", "-r", str(dpi), "-gray", str(pdf), str(pdf.with_suffix(""))], check=True)
    return [Image.open(page) for page in sorted(pdf.parent.glob(f"{pdf.stem}-*.pgm"))]


def words(pdf: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True, text=True)
    return " ".join(done.stdout.split())


def test_longest_pass_fits_version_10_m() -> None:
    assert make_symbol(LONGEST).designator == "10-M"


def test_longer_text_is_refused() -> None:
    with pytest.raises(UsageError, match="version 11"):
        make_symbol(LONGEST + "0")


@pytest.mark.parametrize("text", ["GP1:ABC", LONGEST])
def test_png_reads_back(tmp_path: Path, text: str) -> None:
    write_png(text, tmp_path / "pass.png")
    assert read_all(Image.open(tmp_path / "pass.png")) == [text]


def test_svg_is_a_picture_on_white(tmp_path: Path) -> None:
    write_svg(LONGEST, tmp_path / "pass.svg")
    assert "<svg" in (tmp_path / "pass.svg").read_text()
    assert "#fff" in (tmp_path / "pass.svg").read_text()


@needs_poppler
def test_printed_card_reads_back_and_has_the_size_of_a_card(tmp_path: Path) -> None:
    write_cards([CARD, CARD], tmp_path / "cards.pdf", SHIFT_START)
    pages = drawn(tmp_path / "cards.pdf")
    assert [read_all(page) for page in pages] == [[LONGEST]] * 2
    assert pages[0].size == pytest.approx((85.6 / 25.4 * 150, 54 / 25.4 * 150), abs=2)


@needs_poppler
def test_module_of_the_largest_code_is_wide_enough_for_scanners(tmp_path: Path) -> None:
    write_cards([CARD], tmp_path / "cards.pdf", SHIFT_START)
    dpi = 600
    found = zxingcpp.read_barcodes(drawn(tmp_path / "cards.pdf", dpi)[0])[0].position
    width_mm = (found.top_right.x - found.top_left.x) / dpi * 25.4
    assert width_mm / make_symbol(LONGEST).symbol_size(border=0)[0] >= 0.4


@needs_poppler
def test_sheet_holds_ten_and_an_eleventh_begins_another(tmp_path: Path) -> None:
    batch = [Card(f"GP1:{n}", "An", "", "22/05/2027", "0", "KCN") for n in range(11)]
    write_sheets(batch, tmp_path / "sheets.pdf", SHIFT_START)
    pages = drawn(tmp_path / "sheets.pdf")
    assert [set(read_all(page)) for page in pages] == [{f"GP1:{n}" for n in range(10)}, {"GP1:10"}]


@needs_poppler
@pytest.mark.parametrize("name", [
    "NGUYỄN HOÀNG PHƯƠNG THẢO", "Đặng Thị Ngọc Ánh", "CÔNG TẰNG TÔN NỮ THỊ QUỲNH NHƯ HOÀNG YẾN LY",
    "LÊ ỶỠẴ ẶỘỰ ỴƠƯ",
])
def test_name_is_printed_whole(tmp_path: Path, name: str) -> None:
    write_cards([Card(LONGEST, name, "", "22/05/2027", "3F2A", "KCN")], tmp_path / "cards.pdf", SHIFT_START)
    printed = words(tmp_path / "cards.pdf").split()
    assert [word for word in name.split() if word not in printed] == []
    assert "22/05/2027" in printed


@needs_poppler
def test_very_long_name_does_not_run_into_the_code(tmp_path: Path) -> None:
    card = Card(LONGEST, "NGUYỄN " * 14, "CÔNG TY TRÁCH NHIỆM " * 5, "22/05/2027", "3F2A", "BAN QUẢN LÝ " * 8)
    write_cards([card], tmp_path / "cards.pdf", SHIFT_START)
    assert read_all(drawn(tmp_path / "cards.pdf")[0]) == [LONGEST]


def test_letters_that_the_font_lacks_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no 金; write the name in Latin letters"):
        write_cards([Card(LONGEST, "金", "", "22/05/2027", "3F2A", "KCN")], tmp_path / "cards.pdf", SHIFT_START)


def test_missing_font_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "FONT_DIR", tmp_path)
    with pytest.raises(UsageError, match="apt install fonts-dejavu-core"):
        write_cards([CARD], tmp_path / "cards.pdf", SHIFT_START)


def test_card_shows_the_last_day_and_the_pass_number_in_groups() -> None:
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    issued = IssuedPass("GP1:X", "5a1f361d2bb5e011", "h1", SHIFT_START, datetime(2027, 5, 22, 17, tzinfo=UTC))
    card = Carried(issued, "An", "", "KCN").card(zone)
    assert (card.valid_until, card.number) == ("22/05/2027", "5A1F 361D 2BB5 E011")
