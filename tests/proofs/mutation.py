"""Changes what decides, one place at a time, and expects a test to notice: `make mutation`, `make mutation PART=trust`.

mutmut does it, on a copy in var/mutation. It leaves decorated functions alone, so the copy has them wrapped after they
are defined; nor does it change tables, so the lane's are left to `tests.proofs.lane_rows`. How an error is worded does
not count. Prints what nobody noticed; exit code 0 when that is at most 5 % of each part.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.proofs import lane_rows
from tests.sabotage.__main__ import ROOT, copy_project

LEAST_SCORE = 95.0
MEMORY_MAX_BYTES = 1 << 30
"""A change may make an endless loop that hoards."""
NOTICED = frozenset({"killed", "timeout", "segfault"})


class Part(NamedTuple):
    """What is changed, and the fast tests that are to notice; as patterns and paths."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


PARTS = {
    "admission": Part(("gate/admission.py", "gate/policy/*.py"), (
        "tests/test_admission.py", "tests/test_admission_answers.py", "tests/policy", "tests/test_inspection.py",
        "tests/proofs/test_reference_admission.py")),
    "portal": Part(("gate/portal/__init__.py", "gate/portal/actions.py", "gate/portal/lane.py"), (
        "tests/test_portal_states.py", "tests/test_portal_tells.py", "tests/test_portal.py",
        "tests/test_scenarios.py")),
    "trust": Part(("gate/trust/*.py",), (
        "tests/test_trust.py", "tests/test_trust_documents.py", "tests/test_trust_sealed.py",
        "tests/decoder/test_gp1.py",
        "tests/decoder/test_gp1_live.py", "tests/decoder/test_hc1.py", "tests/decoder/test_shc.py",
        "tests/decoder/test_nzcp.py", "tests/decoder/test_vds_nc.py")),
    "cose": Part(("gate/cose.py",), (
        "tests/test_cose.py", "tests/decoder/test_gp1.py", "tests/decoder/test_gp1_live.py",
        "tests/decoder/test_hc1.py")),
}


def undecorated(source: str) -> str:
    """The same module; properties wrapped after they are defined, caches left out."""
    source = re.sub(r"^@(lru_)?cache\b.*\n", "", source, flags=re.MULTILINE)
    return re.sub(r"^    @property\n(    def (\w+).*\n(?:        .*\n)*)", r"\1\n    \2 = property(\2)\n", source,
                  flags=re.MULTILINE)


def prepared(part: Part, folder: Path) -> Path:
    """A copy of the project in `folder`, ready to be changed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_project(folder)
    for pattern in part.files:
        for file in folder.glob(pattern):
            file.write_text(undecorated(file.read_text()))
    settings = {"source_paths": ["gate"], "only_mutate": part.files, "also_copy": ["config"],
                "pytest_add_cli_args_test_selection": part.tests,
                "do_not_mutate_patterns": [r"raise \w+Error\("],
                "timeout_multiplier": ["5"], "timeout_constant": ["1"]}
    lines = [f"{name} =\n" + "".join(f"    {value}\n" for value in values) for name, values in settings.items()]
    (folder / "setup.cfg").write_text("[mutmut]\n" + "".join(lines))
    return folder


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut says; the copy's `gate` is the one that its tests import."""
    done = subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=folder, env=os.environ, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"mutmut {' '.join(arguments)} failed\n{done.stdout[-4000:]}")
    return done.stdout


def score(name: str) -> float:
    """Change one part everywhere; print what nobody noticed; give the share that was, in percent."""
    began_s = time.monotonic()
    folder = prepared(PARTS[name], ROOT / "var" / "mutation" / name)
    mutmut(folder, "run", "--max-children", "2")
    verdicts = dict(re.findall(r"^\s+(\S+): (.+)$", mutmut(folder, "results", "--all", "true"), re.MULTILINE))
    missed = [change for change, verdict in verdicts.items() if verdict not in NOTICED]
    for change in missed:
        print(f"{verdicts[change]}: {mutmut(folder, 'show', change)}")
    share = 100 * (1 - len(missed) / len(verdicts))
    print(f"{name}: {len(verdicts)} changes, {len(verdicts) - len(missed)} noticed, {share:.1f} % "
          f"({time.monotonic() - began_s:.0f} s)", flush=True)
    return share


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.mutation", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    known = [*PARTS, "rows"]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these of: {', '.join(known)}")
    parts = parser.parse_args(arguments).parts or known
    if unknown := set(parts) - set(known):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    scores = [lane_rows.share_noticed() if name == "rows" else score(name) for name in parts]
    return 0 if min(scores) >= LEAST_SCORE else 1


if __name__ == "__main__":
    sys.exit(main())
