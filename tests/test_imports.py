"""The import rule of `gate/__init__.py`, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gate

PACKAGE = Path(gate.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
IMPURE = {"socket", "threading", "subprocess", "random", "secrets", "time", "os", "logging", "sqlite3", "pathlib"}


def levels() -> dict[str, int]:
    """Module or package name -> level, from the table in the package's docstring."""
    found = {}
    for line in (gate.__doc__ or "").splitlines():
        level, _, names = line.strip().partition(" ")
        if level.isdigit():
            found |= {name.strip(): int(level) for name in names.replace("<-", ",").split(",")}
    return found


LEVELS = levels()


def name_of(file: Path) -> str:
    """The first name below the package: `gate/drivers/relay.py` is `drivers`."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(file: Path) -> set[str]:
    """The absolute modules that a file imports, `from gate import x` resolved; typing-only imports left out."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "gate":
            found |= {f"gate.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_lower_level_never_imports_a_higher_one(file: Path) -> None:
    if file == PACKAGE / "__init__.py":
        return
    own = LEVELS[name_of(file)]
    for module in imports_of(file):
        parts = module.split(".")
        if parts[0] == "gate" and len(parts) > 1 and parts[1] != "__version__":
            assert LEVELS[parts[1]] <= own, f"{file.relative_to(PACKAGE)} (level {own}) imports {module}"


def test_every_module_has_a_level_and_every_level_its_module() -> None:
    present = {name_of(file) for file in FILES} - {"__init__"}
    assert set(LEVELS) == present


@pytest.mark.parametrize("file", [f for f in FILES if LEVELS.get(name_of(f), 9) <= 2],
                         ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_pure_part_reads_no_clock_file_socket_thread_or_random_number(file: Path) -> None:
    assert not {module.split(".")[0] for module in imports_of(file)} & IMPURE


def test_importing_the_daemon_touches_no_hardware_library() -> None:
    code = ("import sys, gate.app; "
            "print(sorted({'gpiozero', 'serial', 'lgpio', 'picamera2', 'zxingcpp', 'pyzbar', 'av', 'tuf', "
            "'sqlalchemy', 'ruamel.yaml'} & set(sys.modules)))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
