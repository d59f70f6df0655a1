"""Every fuzz target, by where its bytes come from."""

from __future__ import annotations

from . import codes, files, messages
from .target import Target

TARGETS: tuple[Target, ...] = (*codes.TARGETS, *messages.TARGETS, *files.TARGETS)
