"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from support_gate import Centre, Gate, copy_site
from support_mosquitto import Mosquitto, free_port
from support_postgresql import MISSING, PROGRAM, Postgresql

from gate.demo.site import DemoSite, make_site

settings.register_profile("gate", deadline=None)  # a busy machine is no fault
settings.load_profile("gate")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets anybody in."""
    broker = Mosquitto(tmp_path / "broker").start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A running PostgreSQL, where it is installed."""
    if PROGRAM is None:
        pytest.skip(MISSING)
    server = Postgresql()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new central database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'central.db'}"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture(scope="session")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> DemoSite:
    """A site made by the commands that an installer types; to be copied, not used."""
    return make_site(tmp_path_factory.mktemp("made") / "site", free_port(), lambda text: None)


@pytest.fixture(scope="session")
def new_site(made_site: DemoSite, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], DemoSite]:
    """Makes sites, each in a folder of its own (whose path is short enough for a socket)."""
    numbers = count(1)
    folder = tmp_path_factory.mktemp("sites")
    return lambda: copy_site(made_site, folder / str(next(numbers)))


@pytest.fixture
def site(new_site: Callable[[], DemoSite]) -> DemoSite:
    """A site of this test's own."""
    return new_site()


@pytest.fixture
def gate_of() -> Iterator[Callable[[DemoSite], Gate]]:
    """Makes the gate of a site, not yet started; whatever becomes of it, it ends with the test."""
    with ExitStack() as stack:
        def make(site: DemoSite) -> Gate:
            gate = Gate(site)
            stack.callback(gate.close)
            return gate

        yield make


@pytest.fixture
def centre(site: DemoSite) -> Iterator[Centre]:
    """Broker and recorder of this test's site, running."""
    centre = Centre(site)
    try:
        yield centre.start()
    finally:
        centre.close()
