"""`gate decode`: say of each code what it is and what it proves, one JSON line of `gate.decode/1` each."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gate.commands.plain import complain
from gate.decoder.wrong import HINTS
from gate.errors import GateError, UsageError
from gate.inspection import NO_SYMBOL, Finding, answer, inspect
from gate.model import Reason
from gate.strict_json import NOT_IN_FORM
from gate.texts import TEXTS
from gate.trust import Keyring, keyring_from_trust_list
from gate.view import NO_DOCUMENTS, DocumentSet

HELP = "say what a code is and what it proves"
YES, NO = 0, 1
PROGRESS_EVERY = 1_000

_LOOKS_LIKE_IMAGE = re.compile(r"[^|:\s]+\.(png|jpe?g|webp|bmp|gif|tiff?|p[bgp]m)", re.IGNORECASE)
_WITHOUT_OFFSET = re.compile(r"[^T]*T[0-9:.]*")
"""A batch comes from a program, whose moments without an offset are UTC; a person has to say which clock they mean."""
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a batch; `at` and `trust` (a file's name, or the list itself) stand in place of the options."""

    id: str | int
    text: str | None = None
    image: str | None = None
    at: str | None = None
    trust: str | list[Any] | None = None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate decode`."""
    parser.add_argument("codes", nargs="*", metavar="TEXT_OR_IMAGE", help="a code's text, or an image file")
    parser.add_argument("--batch", metavar="FILE",
                        help='one JSON object a line, {"id", "text" or "image", "at", "trust"}; - is stdin')
    parser.add_argument("--trust", metavar="FILE",
                        help='keys to believe instead: a JSON list of {"kid", "certificate" or "jwk", "country"}')
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="ask the documents of this gate too: its issuers, who is listed, what is revoked")
    parser.add_argument("--at", metavar="MOMENT", help="judge as of this moment (RFC 3339) instead of now")
    parser.add_argument("--raw", action="store_true", help="put the payload itself into the answer")


def run(args: argparse.Namespace) -> int:
    """Print the answers; 1 when any of them is a no, but 0 after a batch, whose answers speak for themselves."""
    if bool(args.codes) is bool(args.batch):
        raise UsageError("give either codes (texts or image files) or --batch FILE")
    documents = _documents_of(args.config) if args.config else NO_DOCUMENTS
    if args.trust:
        documents = replace(documents, keyring=_keyring(args.trust))
    at = _moment(args.at) if args.at else datetime.now(UTC)
    if args.batch:
        with nullcontext(sys.stdin.buffer) if args.batch == "-" else _open(args.batch) as lines:
            for name, index, payload, finding in _inspect_batch(lines, at, documents):
                _print(answer(finding, name, index, payload if args.raw else None))
        return YES
    refused = False
    for name, index, payload, finding in _inspect_codes(args.codes, at, documents):
        _print(answer(finding, name, index, payload if args.raw else None))
        _explain(name, finding)
        refused |= finding.reason is not None
    return NO if refused else YES


Inspected = tuple[str | int | None, int, bytes | None, Finding]
"""What an answer is made of: the item's id, the symbol's place in its image, the payload, the finding."""


def _inspect_codes(codes: Iterable[str], at: datetime, documents: DocumentSet) -> Iterator[Inspected]:
    for position, code in enumerate(codes, 1):
        if _is_file(code) or _LOOKS_LIKE_IMAGE.fullmatch(code):
            yield from _inspect_image(code, code, at, documents)
        else:
            payload = os.fsencode(code)  # a shell may hand on bytes that are not UTF-8
            yield str(position), 0, payload, inspect(payload, at, documents)


def _inspect_image(name: str | int, path: str, at: datetime, documents: DocumentSet) -> Iterator[Inspected]:
    from gate.drivers.images import read_image

    symbols = read_image(path)
    if not symbols:
        yield name, 0, None, NO_SYMBOL
    for index, symbol in enumerate(symbols):
        yield name, index, symbol.payload, inspect(symbol.payload, at, documents)


def _inspect_batch(lines: Iterable[bytes], at: datetime, documents: DocumentSet) -> Iterator[Inspected]:
    """Every line's answers; one that cannot be used is answered MALFORMED and told of on stderr."""
    number = 0
    for number, line in enumerate(lines, 1):
        if number % PROGRESS_EVERY == 0:
            print(f"gate decode: {number} lines", file=sys.stderr)
        if not line.strip():
            continue
        name: str | int | None = None
        try:
            item = msgspec.json.decode(line, type=Item)
            name = item.id
            if (item.text is None) is (item.image is None):
                raise UsageError("give either a text or an image")
            believed = documents if item.trust is None else replace(documents, keyring=_item_keyring(item.trust))
            moment = _moment(item.at, "Z" if _WITHOUT_OFFSET.fullmatch(item.at) else "") if item.at else at
            if item.image is not None:
                yield from _inspect_image(name, item.image, moment, believed)
            else:
                payload = (item.text or "").encode()
                yield name, 0, payload, inspect(payload, moment, believed)
        except (*NOT_IN_FORM, GateError) as error:
            complain(f"gate decode: line {number}: {error}")
            yield name, 0, None, Finding(reason=Reason.MALFORMED)
    print(f"gate decode: {number} lines, done", file=sys.stderr)


def _documents_of(config_file: Path) -> DocumentSet:
    from gate.config.reading import load
    from gate.documents import load_documents
    from gate.token_key import read_token_key

    config = load(config_file)
    documents = load_documents(config.state_dir, read_token_key(config.site.token_key_file))
    _told("issuers.json", documents.keyring)
    return documents


@lru_cache(maxsize=64)
def _keyring(path: str) -> Keyring:
    with _open(path) as file:
        return _told(path, keyring_from_trust_list(file.read()))


def _item_keyring(trust: str | list[Any]) -> Keyring:
    if isinstance(trust, str):
        return _keyring(trust)
    return _told("trust", keyring_from_trust_list(msgspec.json.encode(trust)))


def _told(source: str, keyring: Keyring) -> Keyring:
    """The keyring, once it is said which entries cannot be used."""
    for why in keyring.left_out:
        complain(f"gate decode: {source}: bỏ qua / left out: {why}")
    return keyring


def _open(path: str) -> Any:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _is_file(code: str) -> bool:
    try:
        return Path(code).is_file()
    except (OSError, ValueError):  # a code may be too long for a path, or hold a zero byte
        return False


def _moment(text: str, offset: str = "") -> datetime:
    try:
        return msgspec.convert(text + offset, _Moment)
    except msgspec.ValidationError as error:
        raise UsageError(f"at {text!r}: give a moment with its offset, like 2026-11-23T06:55:00+07:00") from error


def _print(fields: dict[str, Any]) -> None:
    """One line; what could steer a terminal or hide in it stands escaped."""
    line = json.dumps(fields, ensure_ascii=False)
    print("".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line), flush=True)


def _explain(name: str | int | None, finding: Finding) -> None:
    """Say on stderr, for a person, why the answer is no."""
    if finding.reason is None:
        said = list(finding.warnings)
    else:
        text = HINTS.get(finding.hint, TEXTS[finding.reason])
        said = [f"{text.vi} / {text.en}", *([finding.detail] if finding.detail not in ("", finding.hint) else [])]
    for sentence in said:
        complain(f"gate decode: {name}: {sentence}")
