"""The format that docs/writing-a-format.md walks through works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from gate import decoder
from gate.errors import MalformedError, UnknownFormatError

PAGE = Path(__file__).resolve().parents[2] / "docs/writing-a-format.md"


@pytest.fixture
def with_meal_card(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    meal_card = ModuleType("meal_card")
    exec(compile(source, "docs/writing-a-format.md", "exec"), meal_card.__dict__)
    monkeypatch.setattr(decoder, "FORMATS", (*decoder.FORMATS, meal_card))


@pytest.mark.usefixtures("with_meal_card")
def test_format_of_the_page_reads_its_card() -> None:
    token = decoder.read("MC1/123456/Nguyễn Văn A".encode())
    assert (token.format, token.identifiers) == ("meal-card", ("meal:123456",))
    with pytest.raises(MalformedError, match="six digits"):
        decoder.read(b"MC1/12345/A")


def test_card_of_the_page_is_unknown_without_its_line_in_the_table() -> None:
    with pytest.raises(UnknownFormatError):
        decoder.read(b"MC1/123456/A")
