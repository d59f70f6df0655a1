"""`make deb`: a Debian package with the program's own environment, for this machine or another architecture.

The same steps for every architecture and Python, with nothing compiled: the wheels that `requirements/*.lock` names
are laid out under /opt/PACKAGE as the virtual environment that `python3 -m venv --system-site-packages` would make, so
that apt's hardware packages are seen in it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC_MINOR = range(36, 16, -1)
"""Debian 12 has glibc 2.36; wheels are named after the oldest one that they run with."""

LAUNCHER = """\
#!/opt/{package}/bin/python3 -I
import sys
from gate.cli import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Package:
    """One package: what it installs beside the program, as (source in the repository, target on the machine)."""

    name: str
    lock: str
    files: tuple[tuple[str, str], ...]


UNITS = "usr/lib/systemd/system"
DOCS = "usr/share/doc"

GATE = Package("gate", "gate.lock", (
    ("systemd/gate.service", f"{UNITS}/gate.service"),
    ("systemd/gate@.service", f"{UNITS}/gate@.service"),
    ("systemd/gate-camera.service", f"{UNITS}/gate-camera.service"),
    ("systemd/gate-camera@.service", f"{UNITS}/gate-camera@.service"),
    ("systemd/gate.sysusers.conf", "usr/lib/sysusers.d/gate.conf"),
    ("systemd/60-gate.rules", "usr/lib/udev/rules.d/60-gate.rules"),
    ("systemd/gate-usb.service", f"{UNITS}/gate-usb.service"),
    ("systemd/media-gate.mount", f"{UNITS}/media-gate.mount"),
    ("systemd/90-gate-usb.rules", "usr/lib/udev/rules.d/90-gate-usb.rules"),
    ("config/gate.example.yaml", f"{DOCS}/gate/gate.example.yaml"),
    ("config/gate.schema.json", f"{DOCS}/gate/gate.schema.json"),
    ("systemd/other-clock.conf", f"{DOCS}/gate/other-clock.conf"),
    ("docs/install.md", f"{DOCS}/gate/install.md"),
    ("docs/wiring.md", f"{DOCS}/gate/wiring.md"),
    ("docs/configuration.md", f"{DOCS}/gate/configuration.md"),
    ("LICENSE", f"{DOCS}/gate/copyright"),
))
CENTRAL = Package("gate-central", "central.lock", (
    ("systemd/gate-recorder.service", f"{UNITS}/gate-recorder.service"),
    ("systemd/gate-web.service", f"{UNITS}/gate-web.service"),
    ("systemd/gate-central.sysusers.conf", "usr/lib/sysusers.d/gate-central.conf"),
    ("LICENSE", f"{DOCS}/gate-central/copyright"),
))


def main() -> None:
    """Build the packages that the options ask for, and print where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=PLATFORMS, required=True)
    parser.add_argument("--python", required=True, metavar="3.N", help="of the system that it is for: 3.11 or 3.13")
    parser.add_argument("--wheel", type=Path, required=True, help="of this program: make wheel")
    parser.add_argument("--version", help="another than the wheel's")
    parser.add_argument("--only", choices=[GATE.name, CENTRAL.name])
    args = parser.parse_args()
    for package in (GATE, CENTRAL):
        if args.only in (None, package.name):
            print(build(package, args.wheel, args.version or args.wheel.name.split("-")[1], args.arch, args.python))


def build(package: Package, wheel: Path, version: str, arch: str, python: str) -> Path:
    """Lay the package out in a folder beside the wheel and pack it there; the file's path."""
    root = wheel.parent / "deb" / package.name
    shutil.rmtree(root, ignore_errors=True)
    home = root / "opt" / package.name
    lay_out_environment(package, wheel, home, PLATFORMS[arch], python)
    for source, target in package.files:
        install(REPO / source, root / target, 0o644)
    command = root / "usr" / "bin" / package.name
    command.parent.mkdir(parents=True)
    command.symlink_to(f"/opt/{package.name}/bin/gate")
    control = root / "DEBIAN"
    control.mkdir()
    size_bytes = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    words = {"version": version, "arch": arch, "python": python, "next_python": following(python),
             "size_kib": size_bytes // 1024}
    for script in sorted(set((HERE / package.name).iterdir()) - {HERE / package.name / "control"}):
        install(script, control / script.name, 0o755)
    described = Template((HERE / package.name / "control").read_text("utf-8")).substitute(words)
    (control / "control").write_text(described, "utf-8")
    file = wheel.parent / f"{package.name}_{version}_{arch}_py{python}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--build", str(root), str(file), quiet=True)
    return file


def lay_out_environment(package: Package, wheel: Path, home: Path, machine: str, python: str) -> None:
    """The folders of a virtual environment, with the locked wheels and the program itself.

    Raises:
        subprocess.CalledProcessError: a locked package has no wheel for that machine and Python.
    """
    libraries = home / "lib" / f"python{python}" / "site-packages"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python3").symlink_to(f"/usr/bin/python{python}")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = true\n")
    (home / "bin" / "gate").write_text(LAUNCHER.format(package=package.name))
    (home / "bin" / "gate").chmod(0o755)
    pip = (sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", "--no-compile",
           "--target", str(libraries))
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC_MINOR]
    platforms.append(f"--platform=manylinux2014_{machine}")
    run(*pip, "--require-hashes", "--only-binary=:all:", f"--python-version={python}", "--implementation=cp",
        *platforms, "-r", str(REPO / "requirements" / package.lock))
    run(*pip, str(wheel))
    shutil.rmtree(libraries / "bin")


def following(python: str) -> str:
    """The Python after this one: 3.11 -> 3.12."""
    major, minor = python.split(".")
    return f"{major}.{int(minor) + 1}"


def install(source: Path, target: Path, mode: int) -> None:
    """Copy one file, whatever the umask."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def run(*command: str, quiet: bool = False) -> None:
    """Run a tool; its own message is the error's."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL if quiet else None)


if __name__ == "__main__":
    main()
