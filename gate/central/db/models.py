"""The tables: people and what they hold, what was issued to them, and what each gate has reported.

Times are aware UTC on both sides (`UtcDateTime`). Identifiers and names live here and nowhere else: a gate
only ever sees keyed hashes and the random `holder`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

BigId = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite numbers rows by itself only where the type is plainly INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept in UTC; SQLite has no zone of its own, so a naive one is refused, not guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text without U+0000, which PostgreSQL cannot keep and a hostile payload may hold: it becomes U+FFFD."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Base(DeclarativeBase):
    """Root of the tables; every constraint has a name, so that a later migration can find it."""

    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s",
    })
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        str: PlainText(), datetime: UtcDateTime(), bytes: LargeBinary(), list[str]: JSON(), dict[str, Any]: JSON(),
    }


class Person(Base):
    """Somebody who may enter; `holder` is the random id under which gates and events know them."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    holder: Mapped[str] = mapped_column(unique=True)
    full_name: Mapped[str]
    birth_date: Mapped[str] = mapped_column(default="")
    """YYYY-MM-DD, or YYYY alone: many older papers state only the year."""
    company: Mapped[str] = mapped_column(default="", index=True)
    areas: Mapped[list[str]] = mapped_column(default=list)
    roles: Mapped[list[str]] = mapped_column(default=list)
    schedule: Mapped[str] = mapped_column(default="")
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    """The first moment at which the person may no longer enter."""
    created_at: Mapped[datetime]
    identifiers: Mapped[list[Identifier]] = relationship(
        back_populates="person", cascade="all, delete-orphan", order_by="Identifier.id", passive_deletes=True,
    )
    passes: Mapped[list[Pass]] = relationship(back_populates="person", order_by="Pass.id", passive_deletes=True)


class Identifier(Base):
    """A number that names one person: kind `cccd`, `cmnd`, `qid` or `number` (a number code that we issued)."""

    __tablename__ = "identifier"
    __table_args__ = (UniqueConstraint("kind", "value"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    value: Mapped[str]
    person: Mapped[Person] = relationship(back_populates="identifiers")


class Pass(Base):
    """A signed pass that we issued; its text is not kept, so that a copy of this table opens nothing.

    Erasing a person leaves the row, which names nobody any more: its revocation has to outlive them.
    """

    __tablename__ = "pass"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    cti: Mapped[str] = mapped_column(unique=True)
    """The pass's own id in hex (RFC 8392, claim `cti`)."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"), index=True)
    key_id: Mapped[str]
    issued_at: Mapped[datetime]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    revoked_at: Mapped[datetime | None] = mapped_column(index=True)
    revoke_reason: Mapped[str] = mapped_column(default="")
    person: Mapped[Person | None] = relationship(back_populates="passes")


class Feed(Base):
    """One epoch of one gate's events; `last_seq` is the highest here, and the open gaps say what is missing below.

    Every event here is chained to the one before it, wherever that one is here too. `writes` counts the transactions
    that changed it, so that a recorder knows when another one has.
    """

    __tablename__ = "feed"
    __table_args__ = (UniqueConstraint("site", "gate", "epoch"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site: Mapped[str]
    gate: Mapped[str]
    epoch: Mapped[str]
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    last_hash: Mapped[bytes]
    first_heard_at: Mapped[datetime]
    last_heard_at: Mapped[datetime]
    writes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class Event(Base):
    """One event as the gate sealed it; `body` holds its canonical bytes, `time` its own words for when."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("feed_id", "seq"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    time: Mapped[str]
    received_at: Mapped[datetime]
    body: Mapped[bytes]
    hash: Mapped[bytes]


class Gap(Base):
    """Events that did not come though later ones did: `from_seq` to `to_seq`, both inclusive.

    `closed_at` is set once they have all come; a gap that partly fills shrinks or is split.
    """

    __tablename__ = "gap"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"), index=True)
    from_seq: Mapped[int] = mapped_column(BigInteger)
    to_seq: Mapped[int] = mapped_column(BigInteger)
    explained: Mapped[str] = mapped_column(default="")
    """The kind of the gate's own event that owns up to the loss (EventsLost, LedgerPruned), or empty."""
    seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class FeedAlert(Base):
    """Something that a person has to look at: a broken chain, a second history, payloads that make no sense.

    One row stands for all its repetitions until somebody clears it; `count` says how many there were.
    """

    __tablename__ = "feed_alert"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    site: Mapped[str]
    gate: Mapped[str]
    epoch: Mapped[str] = mapped_column(default="")
    kind: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    """What was found last."""
    count: Mapped[int] = mapped_column(BigInteger, default=1)
    raised_at: Mapped[datetime]
    last_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None] = mapped_column(index=True)
    cleared_note: Mapped[str] = mapped_column(default="", server_default="")
    """Who cleared it and why, in their own words."""


class GateStatus(Base):
    """The last that each gate said of itself in its retained messages."""

    __tablename__ = "gate_status"
    site: Mapped[str] = mapped_column(primary_key=True)
    gate: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="")
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)
    info: Mapped[dict[str, Any]] = mapped_column(default=dict)
    alerts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Alert id -> detail, of those that stand."""
    heard_at: Mapped[datetime | None]
