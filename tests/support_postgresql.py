"""A real PostgreSQL on a free loopback port: one server for all tests of a run, an empty schema for each."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

from support_mosquitto import TIMEOUT_S, free_port

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
PROGRAM = shutil.which("initdb", path=str(_DEBIAN[-1])) if _DEBIAN else shutil.which("initdb")
_MEMORY = Path("/dev/shm")  # thousands of small files for a few minutes
MISSING = "no PostgreSQL here: apt-get install postgresql"


class Postgresql:
    """A server over a folder of its own; it never runs as root, because it refuses to."""

    def __init__(self) -> None:
        assert PROGRAM is not None, MISSING
        self._bin = Path(PROGRAM).resolve().parent
        self._user = pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="gate-pg-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._numbers = count(1)
        self.port = free_port()
        self._run("initdb", "--pgdata", "data", "--auth=trust", "--username=gate", "--no-sync", "--encoding=UTF8",
                  "--locale=C.UTF-8")
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata", "data", "--log", "log", "--options",
                  f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off")

    def new_database(self) -> str:
        """Make an empty schema; the URL under which it is all there is (a database each would be 7 MB on disk)."""
        import psycopg

        url, name = f"postgresql://gate@127.0.0.1:{self.port}/postgres", f"t{next(self._numbers)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{url}?options=-csearch_path%3D{name}"

    def stop(self) -> None:
        """End it and remove what it wrote."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "--pgdata", "data", "--mode", "immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._bin / program, *arguments], cwd=self._folder, user=self._user, check=True,
                       stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)
