"""The composition root: makes every part from the config, starts them, runs the loop, stops them in reverse.

Outputs are safe before anything slow is touched; readers start last, when a scan can be decided and kept. Each
`start_*` leaves its stop on one ExitStack, so the stop order mirrors the start order.
"""

from __future__ import annotations

import gc
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import gate
from gate import config, drivers, wire
from gate.clock import Clock
from gate.command_desk import read_kept
from gate.command_post import CommandPost
from gate.controller import Controller
from gate.documents import DocumentWatcher, keys_left_out, load_documents
from gate.documents.fetcher import DocumentFetcher
from gate.drivers.base import Barrier, ContactInput, Indicator, Reader
from gate.drivers.pins import open_factory
from gate.drivers.release_guard import ReleaseGuard
from gate.effector import Effector
from gate.errors import DocumentError, PartError
from gate.inbox import Inbox
from gate.lane_settings import clock_of, crossing_of, lane_of, view_of
from gate.ledger import FILE_NAME, Ledger
from gate.model import (
    ALERTS,
    CodeBegun,
    Contact,
    Direction,
    Documents,
    EventKind,
    Fault,
    Mode,
    Now,
    ReaderState,
    Record,
    Scan,
    Tick,
)
from gate.obey import COUNTERS, Obedience
from gate.passages import Passages
from gate.portal import OPENING, Portal
from gate.ports import NoFeed, Patience
from gate.presence import Presence
from gate.private_key import load_private_key
from gate.reporter import CLOCK_FLOOR, Reporter, read_floor
from gate.token_key import read_token_key
from gate.uplink import Uplink
from gate.view import NO_DOCUMENTS, DocumentSet, View
from gate.watchdog import Watchdog, notify, watchdog_interval_s

Part = Barrier | Indicator | Ledger | ReleaseGuard | Uplink | DocumentWatcher | DocumentFetcher
GUESSABLE = frozenset({"keypad", "matrix_keypad", "osdp", "wiegand"})
"""Drivers at which a person can try codes one after another."""


def run(settings: config.Config, config_file: Path) -> None:
    """Be this gate until SIGTERM or SIGINT; the processes that it starts read `config_file` themselves.

    Raises:
        GateError: a part cannot start, or the ledger can no longer keep its promise; outputs are safe by then.
    """
    with ExitStack() as stack:
        daemon = Daemon(settings, stack, config_file)
        daemon.run()
    daemon.heed_last_words()


@contextmanager
def heed_threads(say: Callable[[Fault], None]) -> Iterator[None]:
    """Say it when an exception ends a thread, and end the gate: one whose relay nobody locks again is no gate."""
    def doom(ended: threading.ExceptHookArgs) -> None:
        name = "a thread" if ended.thread is None else ended.thread.name
        say(Fault(name, f"it has ended: {ended.exc_value!r}", fatal=True))
        before(ended)

    before, threading.excepthook = threading.excepthook, doom
    try:
        yield
    finally:
        threading.excepthook = before


def stored_mode(value: bytes | None) -> Mode:
    """The mode in force when the gate stopped; one that this release does not know is taken for lockdown."""
    try:
        return Mode((value or b"normal").decode())
    except ValueError:
        return Mode.LOCKDOWN


class Daemon:
    """One gate with all its parts."""

    def __init__(self, settings: config.Config, stack: ExitStack, config_file: Path) -> None:
        self.settings = settings
        self.fetcher = self.make_fetcher(config_file)
        self.stack = stack
        self.inbox = Inbox()
        self.zone = ZoneInfo(settings.site.time_zone)
        self.token_key = read_token_key(settings.site.token_key_file)
        self.readers_there: dict[str, bool] = {}
        self.uplink: Uplink | None = None
        self.controller: Controller

    def run(self) -> None:
        """Start everything in order, then turn the loop until told to stop."""
        self.stack.enter_context(heed_threads(self.inbox.put))
        barrier, indicators = self.start_outputs()
        ledger = self.start_ledger()
        clock = clock_of(self.settings.clock, read_floor(ledger.recall(CLOCK_FLOOR)))
        watcher = DocumentWatcher(self.settings.state_dir, self.token_key, self.inbox.put)
        documents = self.documents_in_force()
        self.uplink = uplink = self.make_uplink(ledger, clock)
        readers = [self.make_reader(each) for each in self.settings.readers]
        watchdog = Watchdog(
            {reader.name: reader.alive_mono for reader in readers}
            | {"documents": watcher.alive_mono, "ledger": ledger.alive_mono},
            watchdog_interval_s(), tolerated={"ledger"},
        )
        reporter = Reporter(
            lane=lambda: self.controller.lane, ledger=ledger, voice=uplink, inbox=self.inbox,
            readers=self.readers_there, stuck=watchdog.stuck, began=clock.now(), info=self.info,
            occupancy=self.occupancy,
        )
        mode = stored_mode(ledger.recall("mode"))
        passages = self.make_passages(ledger, uplink)
        self.controller = Controller(
            clock=clock, lane=self.lane(mode), passages=passages,
            view=replace(self.view(), documents=documents, mode=mode, uses=dict(ledger.uses)),
            hands=Effector(ledger, barrier, indicators, uplink or NoFeed(), self.patience()),
            each_turn=(watchdog.pet, reporter.report),
            obey=Obedience(uplink.reply, self.fetcher.look if self.fetcher else None) if uplink else None,
        )
        if uplink is not None:
            self.start_uplink(uplink)
        if passages is not None:
            passages.begin()
        self.say_started(ledger, clock.now())
        self.start_inputs(readers, watcher)
        with self.stop_on_signals():
            gc.freeze()  # what is here now stays: no collection in the midst of a scan looks through it again
            notify("READY=1")
            self.controller.run(self.inbox)
        notify("STOPPING=1")
        reporter.keep_floor(clock.now())
        ledger.append([Record(EventKind.GATE_STOPPED)], clock.now())

    def heed_last_words(self) -> None:
        """Look at what was said after the loop had ended.

        Raises:
            PartError: the ledger could not keep its promise while it stopped.
        """
        while (said := self.inbox.take(0)) is not None:
            if isinstance(said, Fault) and said.fatal:
                raise PartError(f"{said.source}: {said.detail}")

    # --- the parts, in the order in which they start ---

    def start_outputs(self) -> tuple[Barrier, list[Indicator]]:
        """Barrier and lamps: safe from here on."""
        self.pins = open_factory(self.settings.pins)
        self.stack.callback(self.pins.close)
        device = self.settings.barrier
        barrier = drivers.resolve(drivers.BARRIERS, device.driver)(device.settings, self.pins)
        if device.driver == "relay" and not self.settings.pins.vanish:
            guard = ReleaseGuard(self.settings.pins, device.settings, self.inbox.put)
            self.started(guard)
            barrier.tell = guard.released_until
        self.started(barrier)
        indicators: list[Indicator] = [
            drivers.resolve(drivers.INDICATORS, each.driver)(each.settings, self.pins)
            for each in self.settings.indicators
        ]
        for indicator in indicators:
            self.started(indicator)
        return barrier, indicators

    def started(self, part: Part) -> None:
        """Start a part and leave its stop on the stack; a start that fails is stopped as well."""
        self.stack.callback(part.stop)
        part.start()

    def start_ledger(self) -> Ledger:
        """The memory of this gate."""
        self.settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        ledger = Ledger(
            self.settings.state_dir / FILE_NAME, site=self.settings.site.id, gate=self.settings.gate.id,
            zone=self.zone, settings=self.settings.ledger, say=self.inbox.put,
        )
        self.started(ledger)
        return ledger

    def documents_in_force(self) -> DocumentSet:
        """The stored set, not refreshed; when it is damaged nobody is listed until the next import."""
        try:
            documents = load_documents(self.settings.state_dir, self.token_key)
            self.inbox.put(keys_left_out(documents))
            return documents
        except DocumentError as error:
            self.inbox.put(Documents(view=None, versions={}, problem=str(error)))
            return NO_DOCUMENTS

    def make_uplink(self, ledger: Ledger, clock: Clock) -> Uplink | None:
        """The road to the broker, where there is one; not yet started."""
        if self.settings.mqtt is None:
            return None
        key_file = self.settings.presence.key_file if self.settings.presence else None
        return Uplink(
            ledger, self.settings.mqtt, own_key=load_private_key(key_file) if key_file else None,
            site=self.settings.site.id, gate=self.settings.gate.id,
            keyring=lambda: self.controller.view.documents.keyring, clock=clock, say=self.inbox.put,
            on_documents=self.fetcher.nudge if self.fetcher else None, commands=self.make_command_post(ledger, clock),
        )

    def make_command_post(self, ledger: Ledger, clock: Clock) -> CommandPost:
        """Where commands are believed, none of them twice, whatever happened to the gate in between."""
        return CommandPost(
            self.settings.site.id, self.settings.gate.id, counters=read_kept(ledger.recall(COUNTERS)), clock=clock,
            documents=lambda: self.controller.view.documents, say=self.inbox.put,
            make_nonce=lambda: secrets.token_hex(16),
        )

    def make_fetcher(self, config_file: Path) -> DocumentFetcher | None:
        """Who looks for new documents, where they do not come by hand."""
        documents = self.settings.documents
        if documents.road == "by-hand":
            return None
        command = (sys.executable, "-m", "gate", "documents", "fetch", "--config", str(config_file))
        return DocumentFetcher(command, documents.poll_s if documents.road == "web" else None)

    def make_passages(self, ledger: Ledger, uplink: Uplink | None) -> Passages | None:
        """Who is inside, where the site counts them: as it was when the gate stopped."""
        settings = self.settings
        if settings.presence is None:
            return None
        presence = Presence(settings.gate.id, ledger.moves, ledger.brought_in)
        tell = uplink.passages if uplink is not None and settings.presence.key_file is not None else None
        return Passages(
            presence, crossing_of(settings.presence, settings.gate.id), site=settings.site.id, area=settings.site.area,
            zone=self.zone, keep=ledger.keep_moves, tell=tell,
            shift_millis=ledger.shift_millis,
        )

    def start_uplink(self, uplink: Uplink) -> None:
        """Connect, now that there is a controller whose keyring an acknowledgement is checked with."""
        uplink.clear_alerts(*sorted(ALERTS), *(f"reader-{each.name}" for each in self.settings.readers))
        self.started(uplink)

    def make_reader(self, each: config.ReaderConfig) -> Reader:
        """A reader, not yet started."""
        self.readers_there[each.name] = True
        driver = drivers.resolve(drivers.READERS, each.driver)
        pins = (self.pins,) if each.driver in drivers.PIN_READERS else ()
        reader: Reader = driver(each.name, Direction(each.direction), each.settings, *pins)
        return reader

    def start_inputs(self, readers: Sequence[Reader], watcher: DocumentWatcher) -> None:
        """Contacts, then documents, then readers: from here on stimuli come."""
        for each in self.settings.contacts:
            driver = drivers.resolve(drivers.CONTACTS, each.driver)
            contact: ContactInput = driver(each.name, each.settings, self.pins)
            self.stack.callback(contact.stop)
            contact.start(self.hear_contact)
        self.started(watcher)
        if self.fetcher is not None:
            self.started(self.fetcher)
        for reader in readers:
            self.stack.callback(reader.stop)
            reader.start(self.hear_reader)

    def hear_contact(self, said: Contact | Fault) -> None:
        """Called on gpiozero's threads."""
        self.inbox.put(said)

    def hear_reader(self, said: Scan | CodeBegun | ReaderState) -> None:
        """Called on the readers' threads."""
        if isinstance(said, ReaderState):
            self.readers_there[said.reader] = said.present
        elif self.uplink is not None:
            self.uplink.stand_back()
        self.inbox.put(said)

    # --- what the core begins with ---

    def view(self) -> View:
        """What admission may look at, before any document."""
        guessable = frozenset(
            each.name for each in self.settings.readers if each.driver in GUESSABLE and each.direction == "entry")
        return view_of(self.settings.admission, self.settings.site, guessable, self.settings.health)

    def lane(self, mode: Mode) -> Portal:
        """A lane at rest in the mode that was in force when the gate stopped."""
        sensor = any(each.name in OPENING for each in self.settings.contacts)
        return lane_of(self.settings.portal, self.settings.ledger.flush_max_ms / 1000, sensor, mode)

    def patience(self) -> Patience:
        """How long a grant waits for its record."""
        ledger = self.settings.ledger
        return Patience(ledger.write_max_ms / 1000,
                        ledger.flush_max_ms / 1000 if ledger.durability == "after_flush" else None)

    def info(self) -> wire.Info:
        """What runs here, and with which documents."""
        return wire.Info(documents=dict(self.controller.view.documents.versions),
                         readers={each.name: each.driver for each in self.settings.readers})

    def occupancy(self) -> int | None:
        """How many are in the area, where somebody counts them."""
        passages = self.controller.passages
        return None if passages is None else passages.presence.at(self.settings.site.area)

    def say_started(self, ledger: Ledger, now: Now) -> None:
        """Record the start and what was found then, and bring the lane to rest."""
        self.controller.carry_out([Record(EventKind.GATE_STARTED, {
            "version": gate.__version__, "unclean": ledger.was_unclean, "documents": self.info().documents,
        })], now)
        if ledger.damaged_copy is not None:
            self.controller.note(now, EventKind.STORE_FAULT, {"kept_as": ledger.damaged_copy.name}, "ledger-damaged",
                                 f"a damaged ledger was moved aside to {ledger.damaged_copy}; a new one was begun")
        self.controller.begin(now)

    @contextmanager
    def stop_on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the loop after the turn it is in."""
        def stop(*_: object) -> None:
            self.controller.stopping = True
            self.inbox.put(Tick())

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
