"""The gate's memory, as `docs/ledger.md` tells it; begin at `Ledger`.

    ledger        what the core and the uplink see; start, stop, recovery
    writer        one thread: batches, and who gives way when it gets crowded (`denials`)
    file          one transaction: the chain, the ring, the books (`database`: schema and damage)
    flusher       one thread: the fdatasync, the checkpoints
    exit_journal  ways out, noted before they are written
    reading       read-only: rows for the feed, the proof of the chain
"""

from gate.ledger.file import Entry
from gate.ledger.ledger import FILE_NAME, Ledger
from gate.ledger.reading import LedgerReader, Proof, Row
from gate.ledger.writer import Ticket

__all__ = ["FILE_NAME", "Entry", "Ledger", "LedgerReader", "Proof", "Row", "Ticket"]
