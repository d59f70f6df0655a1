"""The command line: one noun, one file in `gate.commands`, loaded only when it is called.

Exit codes: 0 yes / granted / fine, 1 the answer is no, 2 usage or config error, 3 cannot work.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import gate
from gate.commands.plain import complain
from gate.errors import ConfigError, GateError, UsageError

NOUNS = {
    "run": "the daemon: read codes, decide, move the barrier, report",
    "camera": "the camera's own process: frames in, payloads out",
    "check": "check a config: every fault with its line and its fix",
    "decode": "say what a code is and what it proves",
    "decide": "say what this gate would answer to a code, and why",
    "watch": "print a broker's feed readably",
    "command": "ask gates to open, lock down, free the way and more, under an operator's signature",
    "events": "read, verify or export this gate's ledger",
    "doctor": "what is wrong with this machine: each finding with its cause and its fix",
    "wiring": "which wire goes where, drawn from your config",
    "backup": "this gate in one file: config, keys, documents, ledger",
    "restore": "make this machine the gate that a backup holds, with a new epoch",
    "outputs": "put every output in its safe state, or test each",
    "documents": "import a signed set of documents, or show what is in force",
    "policy": "try a policy pack by its cases, read it, replay past decisions against it",
    "simulate": "run scenario files: config + timed stimuli -> expected effects and events",
    "demo": "a whole gate on this machine, with simulated hardware",
    "bench": "measure speed and memory against floors and peers",
    "central": "the central side: recorder, issue, documents, web",
}
"""Noun -> one line of help; the module is `gate.commands.{noun}` with `configure(parser)` and `run(args)`."""

YES, NO, USAGE, CANNOT = 0, 1, 2, 3


def dispatch(arguments: Sequence[str]) -> int:
    """Load the module that serves the first argument, let it describe its options, and run it."""
    parser = argparse.ArgumentParser(prog="gate", description="Bộ điều khiển cổng · A gate controller.")
    parser.add_argument("--version", action="version", version=f"gate {gate.__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for noun, summary in NOUNS.items():
        subparser = subparsers.add_parser(noun, help=summary, description=summary)
        if noun == wanted:
            module = import_module(f"gate.commands.{noun}")
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    if not arguments:
        parser.print_help(sys.stderr)
        return USAGE
    args = parser.parse_args(arguments)
    return int(args.run(args))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and turn what went wrong into one sentence and an exit code."""
    try:
        return dispatch(sys.argv[1:] if arguments is None else arguments)
    except (ConfigError, UsageError) as error:
        for line in str(error).split("\n"):  # a config's problems, each on its own
            complain(line)
        return USAGE
    except GateError as error:
        complain(f"gate: {error}")
        return CANNOT
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error, and nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return YES
    except KeyboardInterrupt:
        return 130
