"""The options by which a command finds its broker, the same wherever one is needed."""

from __future__ import annotations

import argparse
from pathlib import Path

from gate.config import Mqtt, Tls
from gate.errors import UsageError

PLAIN_PORT, TLS_PORT = 1883, 8883


def add_broker_options(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--broker` and what belongs to it."""
    parser.add_argument("--broker", required=required, metavar="HOST", help="the MQTT broker")
    parser.add_argument("--port", type=int, help=f"its port (default: {TLS_PORT} with --tls-ca, else {PLAIN_PORT})")
    parser.add_argument("--username", metavar="NAME", help="who logs in")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="the password, alone in a file")
    parser.add_argument("--tls-ca", type=Path, metavar="FILE", help="TLS: who may vouch for the broker")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="TLS: our own certificate")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="TLS: its private key")
    parser.add_argument("--mqtt", choices=("5", "3.1.1"), default="5", help="the protocol (default: %(default)s)")


def broker_of(args: argparse.Namespace) -> Mqtt:
    """The broker that the options name.

    Raises:
        UsageError: a port that is none, half a client certificate, or a file that is not there.
    """
    if args.port is not None and not 1 <= args.port <= 65_535:
        raise UsageError("--port: a port is 1 to 65535")
    if (args.tls_cert is None) != (args.tls_key is None) or (args.tls_cert and not args.tls_ca):
        raise UsageError("--tls-cert and --tls-key go together, and with --tls-ca")
    for option in ("password_file", "tls_ca", "tls_cert", "tls_key"):
        file = getattr(args, option)
        if file is not None and not file.is_file():
            raise UsageError(f"--{option.replace('_', '-')}: {file} is not there")
    tls = Tls(ca=args.tls_ca, certificate=args.tls_cert, key=args.tls_key) if args.tls_ca else None
    return Mqtt(host=args.broker, port=args.port or (TLS_PORT if tls else PLAIN_PORT), version=args.mqtt,
                username=args.username, password_file=args.password_file, tls=tls)
