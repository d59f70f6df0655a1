"""A list of people as personnel offices keep it: one CSV line a person, Vietnamese or English headings.

Columns, in any order (headings without regard to case and accents; others are ignored with a warning):

    ho_ten / full_name          required
    ngay_sinh / birth_date      18/01/1987, 1987-01-18, or the year alone
    cccd, cmnd, qid             at least one of them: 12 digits, 9 digits, the national QR's identifier
    cong_ty / company
    khu_vuc / areas             ids, several separated by `;`
    vai_tro / roles             likewise
    ca / schedule               one id
    hieu_luc_tu / valid_from    the first day
    hieu_luc_den / valid_until  the last day, itself included

UTF-8 with or without a byte order mark; separated by comma, semicolon or tab, whichever the heading line uses.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gate.central.people_cells import HEADINGS, READERS, plain
from gate.errors import UsageError

HEADING_MAX_CHARS = 10_000
IDENTIFIER_KINDS = ("cccd", "cmnd", "qid")
_NOT_UTF8 = "is not UTF-8; in Excel save as 'CSV UTF-8 (Comma delimited)'"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one place, and how to put it right; line 1 is the heading."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.text}"


@dataclass(slots=True)
class PersonRow:
    """One line as read: `fields` are columns of `Person` that the file has; `identifiers` kind -> value."""

    line: int
    fields: dict[str, Any] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, column: str, text: str) -> None:
        """Say why this line cannot be used."""
        self.problems.append(Problem(self.line, column, text))

    def warn(self, column: str, text: str) -> None:
        """Say what is odd about this line."""
        self.warnings.append(Problem(self.line, column, text))


class PeopleCsv:
    """The lines of one file; dates are days in `zone`. Iterating reads it from its start, a line at a time.

    Raises:
        UsageError: no such file, or its heading line lacks a column that has to be there.
    """

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        self.path = path
        self.zone = zone
        try:
            with self._open() as file:
                heading = file.readline(HEADING_MAX_CHARS)
            self._delimiter = max(",;\t", key=heading.count)
            headings = next(csv.reader([heading], delimiter=self._delimiter, strict=True), [])
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        except csv.Error as error:
            raise UsageError(f"{path}: the heading line cannot be split into fields: {error}") from error
        self._columns = [HEADINGS.get(plain(name), "") for name in headings]
        self._check_heading(headings)
        self.ignored = [name for name, column in zip(headings, self._columns, strict=True) if not column]
        """Headings that mean nothing here."""

    def __iter__(self) -> Iterator[PersonRow]:
        with self._open() as file:
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            next(reader)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    row = PersonRow(line)
                    row.refuse("line", f"cannot be split into fields: {error}")
                    yield row
                    continue
                if any(cell.strip() for cell in cells):
                    yield self._person(line, cells)

    def _open(self) -> Any:
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _check_heading(self, headings: list[str]) -> None:
        if any(_has_raw_bytes(name) or "\0" in name for name in headings):
            raise UsageError(f"{self.path}: the heading line {_NOT_UTF8}")
        for column in filter(None, self._columns):
            if self._columns.count(column) > 1:
                raise UsageError(f"{self.path}: two headings mean {column}; remove one")
        if "full_name" not in self._columns or not set(IDENTIFIER_KINDS) & set(self._columns):
            raise UsageError(
                f"{self.path}: the first line needs a heading ho_ten (or full_name) and one of "
                f"{', '.join(IDENTIFIER_KINDS)}; known headings: {', '.join(HEADINGS)}"
            )

    def _person(self, line: int, cells: list[str]) -> PersonRow:
        row = PersonRow(line)
        surplus = len(cells) - len(self._columns)
        if surplus > 0:
            row.refuse("line", f"has {surplus} fields too many; quote a value that holds the separator")
            return row
        for column, cell in zip(self._columns, cells + [""] * -surplus, strict=True):
            if column:
                self._read(row, column, cell)
        self._check_together(row)
        return row

    def _read(self, row: PersonRow, column: str, cell: str) -> None:
        if _has_raw_bytes(cell):
            row.refuse(column, _NOT_UTF8)
            return
        try:
            value = READERS[column](unicodedata.normalize("NFC", cell).strip())
        except ValueError as error:
            row.refuse(column, str(error))
            return
        if column not in IDENTIFIER_KINDS:
            row.fields[column] = value
        elif value:
            row.identifiers[column] = value

    def _check_together(self, row: PersonRow) -> None:
        """What no cell shows alone; then days of validity become moments."""
        fields = row.fields
        if not row.identifiers and not row.problems:
            row.refuse("line", f"has no number; fill one of {', '.join(IDENTIFIER_KINDS)}")
        first, last = fields.get("valid_from"), fields.get("valid_until")
        if first and last and last < first:
            row.refuse("valid_until", f"{last} lies before valid_from, {first}")
        if first:
            fields["valid_from"] = self._midnight(first)
        if last:
            fields["valid_until"] = self._midnight(last + timedelta(days=1))
        if fields.get("areas") == []:
            row.warn("areas", "is empty: this person may enter nowhere")
        year, born = _birth_year(row.identifiers.get("cccd", "")), fields.get("birth_date")
        if year and born and not born.startswith(year):
            row.warn("birth_date", "is of another year than the cccd; check both")

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


def _birth_year(cccd: str) -> str:
    """Digit 4 is century and sex, digits 5-6 the year (Circular 07/2016/TT-BCA, article 7); "" when unknown."""
    return f"{19 + int(cccd[3]) // 2}{cccd[4:6]}" if cccd else ""


def _has_raw_bytes(text: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in text)
