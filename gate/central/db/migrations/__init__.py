"""Alembic's scripts, shipped in the package; a change of `models` comes with a new file in `versions`."""
