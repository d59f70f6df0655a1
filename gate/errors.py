"""Every error the gate raises, split by who can mend it.

    GateError
      UsageError       the person at the keyboard: wrong option, wrong file (exit 2)
      ConfigError      the installer: a config that is not valid (exit 2)
      CodeError        the person at the lane: the code they show (a denial, never an exit)
        MalformedError, WrongCodeError, ForgedError, UnknownKeyError, ExpiredError ...
      DocumentError    the publisher: a document that cannot be trusted (the last good set stays)
        UnusableKeyError     one key of it that cannot be used (the others are)
      DeviceError      the hardware: a reader or an output that failed (retried by its driver)
      StoreError       the disk: the ledger cannot keep its promise (fatal, systemd restarts)
      PartError        a part of the running daemon has ended: a dead disk, no memory, our own bug (fatal likewise)

A caller can therefore tell malformed from forged from our own bug without reading a message.
"""

from __future__ import annotations


class GateError(Exception):
    """Root of all errors that the gate raises on purpose; the message says what to do."""


class UsageError(GateError, ValueError):
    """A command was called in a way that cannot work."""


class ConfigError(GateError, ValueError):
    """The config is not valid; `problems` holds every finding, each `file:line:column: text`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CodeError(GateError, ValueError):
    """A code that does not open the gate; each subclass maps to one Reason in `gate.trust`."""


class MalformedError(CodeError):
    """Ours by its form, but not readable by its norm."""


class UnknownFormatError(CodeError):
    """No format claims this payload."""


class WrongCodeError(CodeError):
    """Recognised, and of a kind that never opens a gate; `hint` names the kind (a text key)."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


class UnknownKeyError(CodeError):
    """Signed by a key that the issuers document does not hold."""


class ForgedError(CodeError):
    """The signature does not match what is signed."""


class DocumentError(GateError, ValueError):
    """A document or a set of them was refused; what was in force stays in force."""


class UnusableKeyError(DocumentError):
    """A key or certificate that this gate cannot read or use; what else its document holds is as good as before."""


class DeviceError(GateError, OSError):
    """A device failed or is not there; its driver retries."""


class StoreError(GateError, OSError):
    """The ledger can no longer keep a promise; the process must end and be restarted."""


class PartError(GateError, RuntimeError):
    """A part that the running gate cannot do without has ended; the process must end and be restarted."""
