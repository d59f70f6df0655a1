"""When to look for new documents: the daemon's thread that starts `gate documents fetch` and waits for it.

Nothing of what arrives is read in here: a word from the broker only says that it is worth looking.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

RETRY_MIN_S = 5.0
RETRY_MAX_S = 600.0
FETCH_MAX_S = 3600.0
"""A fetch that takes longer is killed; what it had not verified is fetched again."""
FINE = 0

log = logging.getLogger("gate.documents")


class DocumentFetcher:
    """Runs `command` when told that there is something new, each `poll_s`, and again after a failure.

    Failures are told by whoever watches the documents (`refused.json`); here they only make a pause, which doubles from
    RETRY_MIN_S to RETRY_MAX_S until there is something new.
    """

    def __init__(self, command: Sequence[str], poll_s: float | None = None) -> None:
        self._command = command
        self._poll_s = poll_s
        self._changed = threading.Condition()
        self._newest = self._fetched = b""
        self._stopping = self._wanted = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and a fetch under way: half of one changes nothing."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            if self._process is not None:
                self._process.kill()
        if self._thread.is_alive():
            self._thread.join()

    def nudge(self, index: bytes) -> None:
        """There is something to look for, known by `index`; the same as last time is nothing new."""
        with self._changed:
            self._newest = index
            self._changed.notify()

    def look(self) -> None:
        """Look now, whether or not anybody said that there is something new."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    def _run(self) -> None:
        pause_s = 0.0 if self._poll_s else None
        failures = 0
        while self._wait(pause_s):
            looked_for = self._newest
            if self._fetch() == FINE:
                self._fetched, failures, pause_s = looked_for, 0, self._poll_s
            else:
                self._fetched, failures = looked_for, failures + 1
                pause_s = min(RETRY_MIN_S * 2 ** min(failures - 1, 16), RETRY_MAX_S)

    def _wait(self, pause_s: float | None) -> bool:
        """Wait for something new, at most `pause_s`; False when the thread is to end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or self._wanted or self._newest != self._fetched, pause_s)
            self._wanted = False
            return not self._stopping

    def _fetch(self) -> int | None:
        with self._changed:
            if self._stopping:
                return None
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            return self._process.wait(FETCH_MAX_S)
        except subprocess.TimeoutExpired:
            log.warning("documents: no end of fetching after %g s", FETCH_MAX_S)
            with suppress(OSError):
                self._process.kill()
            return self._process.wait()
