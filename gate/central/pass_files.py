"""The files of a batch of passes: pictures to send, cards to print, and a list of what is whose."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.central.cards import Card, write_cards, write_png, write_sheets, write_svg
from gate.central.issuing import IssuedPass
from gate.errors import UsageError

PROGRESS_PASSES = 100


@dataclass(frozen=True, slots=True)
class Carried:
    """A pass and whose it is, as files show them."""

    issued: IssuedPass
    full_name: str
    company: str
    issuer: str

    def card(self, zone: tzinfo) -> Card:
        """What the printed card says; the last day is the one before validity ends at midnight."""
        cti = self.issued.cti.upper()
        last_day = self.issued.valid_until.astimezone(zone) - timedelta(microseconds=1)
        return Card(
            text=self.issued.text, full_name=self.full_name, company=self.company, issuer=self.issuer,
            valid_until=f"{last_day:%d/%m/%Y}", number=" ".join(cti[i:i + 4] for i in range(0, len(cti), 4)),
        )


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose files move to `folder` at the end of the block, and vanish when it raises.

    Raises:
        UsageError: `folder` cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = TemporaryDirectory(prefix=".partial-", dir=folder)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from error
    with partial as name:
        yield Path(name)
        for file in sorted(Path(name).iterdir()):
            file.replace(folder / file.name)


def write_files(
    folder: Path, batch: Sequence[Carried], *, kinds: frozenset[str], zone: tzinfo, now: datetime,
    progress: Callable[[int], None] = lambda passes: None,
) -> list[str]:
    """Write the `kinds` (of png, svg, card) of a batch, and `passes.csv`; gives their names.

    `progress` hears of each `PROGRESS_PASSES` passes.

    Raises:
        UsageError: the font of cards is not installed, or lacks a letter.
    """
    for number, carried in enumerate(batch, 1):
        if "png" in kinds:
            write_png(carried.issued.text, folder / f"{carried.issued.holder}.png")
        if "svg" in kinds:
            write_svg(carried.issued.text, folder / f"{carried.issued.holder}.svg")
        if number % PROGRESS_PASSES == 0:
            progress(number)
    cards = [carried.card(zone) for carried in batch]
    if "card" in kinds:
        write_cards(cards, folder / "cards.pdf", now)
        write_sheets(cards, folder / "sheets.pdf", now)
    with (folder / "passes.csv").open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ho_ten", "cong_ty", "so_the", "hieu_luc_den", "holder"])
        table.writerows([card.full_name, card.company, card.number, card.valid_until, carried.issued.holder]
                        for card, carried in zip(cards, batch, strict=True))
    return sorted(file.name for file in folder.iterdir())
