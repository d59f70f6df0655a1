"""Tells a new roster by its difference from the one that gates have, where that is small.

The rosters are compared as files, so that it does not matter how a change came about.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from gate.documents.changes import (
    CHANGES_MAX,
    CHANGES_MAX_BYTES,
    ChangedHolder,
    Changes,
    Latest,
    changes_to_bytes,
    latest,
)

WHOLE_MAX_BYTES = 128 * 1024
"""A roster up to here always goes out whole."""
HOLDERS_MAX = 50_000
"""With more changes against its base than that, or than half of it, a roster goes out whole."""

MAPPED_MAX_BYTES = 4 * 1024**3

_OTHER_KEY = "SELECT 1 FROM old.meta o JOIN new.meta n USING (key) WHERE key = 'key_check' AND o.value <> n.value"
_CHANGED = """
    INSERT INTO changed
    SELECT n.id FROM new.holder n LEFT JOIN old.holder o ON o.id = n.id
     WHERE o.id IS NULL OR (n.areas, n.roles, n.schedule, n.valid_from, n.valid_until, n.company, n.facts)
                    IS NOT (o.areas, o.roles, o.schedule, o.valid_from, o.valid_until, o.company, o.facts)
    UNION SELECT o.id FROM old.holder o LEFT JOIN new.holder n ON n.id = o.id WHERE n.id IS NULL
    UNION SELECT nh.id FROM new.token nt JOIN new.holder nh ON nh.rowid = nt.holder
       LEFT JOIN old.token ot ON ot.hash = nt.hash LEFT JOIN old.holder oh ON oh.rowid = ot.holder
       WHERE oh.id IS NOT nh.id
    UNION SELECT oh.id FROM old.token ot JOIN old.holder oh ON oh.rowid = ot.holder
       LEFT JOIN new.token nt ON nt.hash = ot.hash LEFT JOIN new.holder nh ON nh.rowid = nt.holder
       WHERE nh.id IS NOT oh.id
"""


def next_changes(old: Path, base: str, before: Sequence[Changes], new: Path) -> list[Changes] | None:
    """The changes that lead from the base `old` (its SHA-256 in hex is `base`) to the roster `new`.

    Those `before` are continued, or summed up in one when there would be too many. None: publish `new` whole.
    """
    if new.stat().st_size <= WHOLE_MAX_BYTES:
        return None
    stands = latest(before)
    with closing(sqlite3.connect(":memory:")) as db:
        for name, path in (("old", old), ("new", new)):
            db.execute(f"ATTACH '{path.absolute().as_uri()}?mode=ro&immutable=1' AS {name}")
            db.execute(f"PRAGMA {name}.mmap_size = {MAPPED_MAX_BYTES}")
        if db.execute(_OTHER_KEY).fetchone():
            return None
        db.execute("CREATE TEMP TABLE changed(id TEXT PRIMARY KEY) WITHOUT ROWID")
        db.execute(_CHANGED)
        changed = [id_ for (id_,) in db.execute("SELECT id FROM changed")]
        (holders,) = db.execute("SELECT count(*) FROM old.holder").fetchone()
        if len(changed) > min(HOLDERS_MAX, holders // 2):
            return None
        db.executemany("INSERT OR IGNORE INTO changed VALUES (?)", [(id_,) for id_ in stands])
        now = _rows(db)
    missing = object()
    step = {id_: now.get(id_) for id_ in sorted({*changed, *stands}) if now.get(id_) != stands.get(id_, missing)}
    if not step:
        return list(before)
    if len(before) < CHANGES_MAX:
        return [*before, _changes(base, len(before) + 1, step)]
    summed = _changes(base, 1, {id_: now.get(id_) for id_ in changed})
    return [summed] if len(changes_to_bytes(summed)) <= CHANGES_MAX_BYTES else None


def _rows(db: sqlite3.Connection) -> Mapping[str, ChangedHolder]:
    """The rows in the new roster of everybody in `changed`."""
    tokens: dict[int, list[bytes]] = {}
    for hash_, row in db.execute(
        "SELECT t.hash, t.holder FROM new.token t WHERE t.holder IN "
        "(SELECT h.rowid FROM changed c JOIN new.holder h ON h.id = c.id) ORDER BY t.hash",
    ):
        tokens.setdefault(row, []).append(hash_)
    rows = db.execute(
        "SELECT h.rowid, h.id, h.areas, h.roles, h.schedule, h.valid_from, h.valid_until, h.company, h.facts "
        "FROM changed c JOIN new.holder h ON h.id = c.id")
    return {
        id_: ChangedHolder(id_, areas, roles, schedule, begin, end, company, None if facts is None else facts.decode(),
                           tuple(tokens.get(row, ())))
        for row, id_, areas, roles, schedule, begin, end, company, facts in rows
    }


def _changes(base: str, number: int, step: Latest) -> Changes:
    return Changes(base=base, number=number, put=tuple(row for row in step.values() if row is not None),
                   gone=tuple(id_ for id_, row in step.items() if row is None))
