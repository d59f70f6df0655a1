"""People, what was issued to them, and what the gates reported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "feed",
        sa.Column("id", BigId, nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_heard_at", Moment, nullable=False),
        sa.Column("last_heard_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("site", "gate", "epoch", name=op.f("uq_feed_site_gate_epoch")),
    )
    op.create_table(
        "gate_status",
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("info", sa.JSON(), nullable=False),
        sa.Column("alerts", sa.JSON(), nullable=False),
        sa.Column("heard_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("site", "gate", name=op.f("pk_gate_status")),
    )
    op.create_table(
        "person",
        sa.Column("id", BigId, nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("birth_date", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("valid_from", Moment, nullable=True),
        sa.Column("valid_until", Moment, nullable=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("holder", name=op.f("uq_person_holder")),
    )
    op.create_index(op.f("ix_person_company"), "person", ["company"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", BigId, nullable=False),
        sa.Column("feed_id", BigId, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("time", sa.String(), nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_event_feed_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("feed_id", "seq", name=op.f("uq_event_feed_id_seq")),
    )
    op.create_table(
        "feed_alert",
        sa.Column("id", BigId, nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", Moment, nullable=False),
        sa.Column("last_at", Moment, nullable=False),
        sa.Column("cleared_at", Moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_alert")),
    )
    op.create_index(op.f("ix_feed_alert_cleared_at"), "feed_alert", ["cleared_at"], unique=False)
    op.create_table(
        "gap",
        sa.Column("id", BigId, nullable=False),
        sa.Column("feed_id", BigId, nullable=False),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("to_seq", sa.BigInteger(), nullable=False),
        sa.Column("explained", sa.String(), nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("closed_at", Moment, nullable=True),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_gap_feed_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
    )
    op.create_index(op.f("ix_gap_feed_id"), "gap", ["feed_id"], unique=False)
    op.create_table(
        "identifier",
        sa.Column("id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_identifier_person_id"), ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifier")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_identifier_kind_value")),
    )
    op.create_index(op.f("ix_identifier_person_id"), "identifier", ["person_id"], unique=False)
    op.create_table(
        "pass",
        sa.Column("id", BigId, nullable=False),
        sa.Column("cti", sa.String(), nullable=False),
        sa.Column("person_id", BigId, nullable=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("issued_at", Moment, nullable=False),
        sa.Column("valid_from", Moment, nullable=False),
        sa.Column("valid_until", Moment, nullable=False),
        sa.Column("revoked_at", Moment, nullable=True),
        sa.Column("revoke_reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_pass_person_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pass")),
        sa.UniqueConstraint("cti", name=op.f("uq_pass_cti")),
    )
    op.create_index(op.f("ix_pass_person_id"), "pass", ["person_id"], unique=False)
    op.create_index(op.f("ix_pass_revoked_at"), "pass", ["revoked_at"], unique=False)


def downgrade() -> None:
    """Remove every table, those that refer to others first."""
    for table in ("pass", "identifier", "gap", "feed_alert", "event", "person", "gate_status", "feed"):
        op.drop_table(table)
