"""`gate central web`: serves the live page to this machine, or to a proxy on it that asks for log-in."""

from __future__ import annotations

import argparse
import socket
from contextlib import closing
from ipaddress import ip_address
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gate.central.db import DEFAULT_URL, open_database
from gate.central.web.server import serve
from gate.errors import DeviceError, UsageError

HELP = "the live page of gates and events"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate central web`."""
    parser.add_argument("--db", default=DEFAULT_URL, metavar="URL",
                        help="the central database (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="the address to listen on (default: %(default)s, this machine only)")
    parser.add_argument("--port", type=int, default=8480, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--behind-proxy", metavar="NAME",
                        help="a reverse proxy that asks for log-in serves this page under the host name NAME")
    add_time_zone(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 0 at a clean end."""
    refuse_unguarded(args.host, args.behind_proxy)
    zone = zone_of(args.time_zone)
    with closing(listen(args.host, args.port)) as listener:
        host, port = listener.getsockname()[:2]
        engine = open_database(args.db)
        hosts = [*LOOPBACK_NAMES, *([args.behind_proxy] if args.behind_proxy else [])]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        print(f"Trang trực tiếp / Live page: {url}", flush=True)  # noqa: T201  (whoever started it opens this)
        serve(engine, listener, zone=zone, hosts=hosts)
        engine.dispose()
    return 0


def add_time_zone(parser: argparse.ArgumentParser) -> None:
    """Add `--time-zone`, which `zone_of` reads."""
    parser.add_argument("--time-zone", default="Asia/Ho_Chi_Minh", metavar="ZONE",
                        help="in which times at the centre are shown (default: %(default)s)")


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"--time-zone: none is called {name!r}; for example Asia/Ho_Chi_Minh") from error


def refuse_unguarded(host: str, behind_proxy: str | None) -> None:
    """Allow only this machine, unless a proxy stands before the page: it shows who passes, and has no log-in yet.

    Raises:
        UsageError: the address is open to others, or is none.
    """
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError as error:
        raise UsageError(f"--host: {host!r} is no IP address; write 127.0.0.1") from error
    if not (loopback or behind_proxy):
        raise UsageError(
            f"--host {host}: this page has no log-in yet and would show everybody who passes. Listen on 127.0.0.1 "
            "and open it through an SSH tunnel, or set a reverse proxy with log-in before it and name that with "
            "--behind-proxy NAME"
        )


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Raises:
        UsageError: the port is out of range.
        DeviceError: the address is in use, or not this machine's.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OverflowError as error:
        raise UsageError("--port: write a number from 0 to 65535") from error
    except OSError as error:
        problem = f"cannot listen on {host}, port {port} ({error.strerror}); choose another --port"
        raise DeviceError(problem) from error
