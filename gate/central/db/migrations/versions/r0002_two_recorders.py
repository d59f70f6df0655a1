"""What two recorders of one database have to know of each other, and what was said when an alert was cleared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; what is there begins at nothing written and nothing said."""
    op.add_column("feed", sa.Column("writes", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("feed_alert", sa.Column("cleared_note", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("feed_alert", "cleared_note")
    op.drop_column("feed", "writes")
