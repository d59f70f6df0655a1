"""The real ledger with its two threads turned by hand, on a folder in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty
from typing import TYPE_CHECKING, Any

from gate.ledger import Ledger
from gate.ledger.file import Batch, LedgerFile
from gate.ledger.flusher import Flusher
from gate.ledger.writer import Item, Ticket, Writer
from gate.model import Now, Record

if TYPE_CHECKING:
    from .world import World


class NoThread:
    """Stands where a thread stood; `join` does at once all that is left to do."""

    def __init__(self, turn: Callable[[], bool]) -> None:
        self._turn = turn

    def start(self) -> None:
        pass

    def join(self, timeout_s: float) -> None:
        while self._turn():
            pass

    def is_alive(self) -> bool:
        return False


class TurnedQueue:
    """The writer's queue: it never waits, because the writer is turned only when there is something to do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: deque[Item] = deque()

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._world.wake_writer()

    def get(self, timeout: float | None = None) -> Item:
        if not self._items:
            raise Empty
        return self._items.popleft()

    get_nowait = get

    def qsize(self) -> int:
        return len(self._items)


class TurnedWriter(Writer):
    """The real writer, one turn at a time."""

    def __init__(self, world: World, *parts: Any, **calls: Any) -> None:
        super().__init__(*parts, **calls)
        self._world = world
        self._queue: Any = TurnedQueue(world)
        self._thread: Any = NoThread(self._turn)

    def turn(self) -> None:
        """Commit what has gathered; come back later for what had to wait."""
        self._turn()
        if self._queue.qsize():
            self._world.wake_writer()
        elif self._carried or self._denials:
            self._world.wake_writer(at_once=False)

    def _stand_back(self) -> None:
        """Time stands still in a turn."""

    @property
    def idle(self) -> bool:
        """Whether everything is written."""
        return not (self._queue.qsize() or self._carried or self._denials)


class TurnedFlusher(Flusher):
    """The real flusher, one turn at a time."""

    def __init__(self, world: World, *parts: Any, **calls: Any) -> None:
        super().__init__(*parts, **calls)
        self._world = world
        self._thread: Any = NoThread(self._turn)

    def written(self, seq: int, body_bytes: int) -> None:
        self._world.point()
        super().written(seq, body_bytes)
        self._world.wake_flusher()

    def turn(self) -> None:
        """Flush what is written."""
        if not self.idle:
            self._turn()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to flush, or nothing that can be."""
        return self._failed or self.flushed_seq >= self._written_seq

    def forget(self) -> None:
        """What is not flushed stays so: the process has ended."""
        self._written_seq = self.flushed_seq


class Receipt:
    """A ticket whose wait lets the rest of the world go on."""

    def __init__(self, world: World, ticket: Ticket) -> None:
        self._world, self._ticket = world, ticket

    @property
    def last_seq(self) -> int:
        return self._ticket.last_seq

    def wait(self, timeout_s: float) -> bool:
        self._world.pump(timeout_s, lambda: self._ticket.settled)
        return self._ticket.wait(0)


class TurnedLedger(Ledger):
    """The real ledger; the world hears of each append, each commit and each opening of the file."""

    def __init__(self, world: World, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._world = world
        self.writer_type: Any = lambda *some, **calls: TurnedWriter(world, *some, **calls)
        self.flusher_type: Any = lambda *some, **calls: TurnedFlusher(world, *some, **calls)

    def append(self, records: Sequence[Record], now: Now, **how: Any) -> Receipt:  # type: ignore[override]
        self._world.point()
        ticket = super().append(records, now, **how)
        self._world.promises.appended(records)
        self._world.point()
        return Receipt(self._world, ticket)

    def flushed(self, seq: int, timeout_s: float) -> bool:
        self._world.pump(timeout_s, lambda: self.flushed_seq >= seq)
        return self.flushed_seq >= seq

    @property
    def idle(self) -> bool:
        """Whether everything is written and flushed."""
        return self._writer.idle and self._flusher.idle

    def abandon(self) -> None:
        """Let go of everything as the death of the process does; what is on the disk has been copied before."""
        started, self._open, self._started = self._started, False, False
        if started:
            self._flusher.forget()
            self._flusher.stop(0)
        self._resources.close()

    def _open_proved(self) -> LedgerFile:
        file = super()._open_proved()
        world, put, write = self._world, file._put, file.write
        world.disk.opened(self.path)

        def put_or_fail(batch: Batch) -> int:
            world.point()
            world.disk.before_commit(batch)
            return put(batch)

        def write_and_tell(batch: Batch) -> int:
            written_bytes = write(batch)
            world.disk.committed(batch, file.span.last_seq)
            world.point()
            return written_bytes

        file._put = put_or_fail  # type: ignore[method-assign]
        file.write = write_and_tell  # type: ignore[method-assign]
        return file
