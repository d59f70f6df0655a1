"""Text from outside as terminals and logs may show it: nothing in it steers them, hides, or looks like another line."""

from __future__ import annotations

import logging
import sys


def printable(text: str) -> str:
    """Control, bidirectional and invisible characters, line ends among them, as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def complain(text: str) -> None:
    """Say something on standard error, in one line."""
    print(printable(text), file=sys.stderr)


class PlainFormatter(logging.Formatter):
    """One record, one line, whoever wrote the text in it; only a traceback has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (as logging has it)
        return printable(super().formatMessage(record))

    def formatException(self, *args: object) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(*args).split("\n")))  # type: ignore[arg-type]


def start_log(form: str, level: int = logging.INFO) -> None:
    """Log to standard error in this form (`logging.Formatter`)."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter(form))
    logging.basicConfig(level=level, handlers=[handler])
