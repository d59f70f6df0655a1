# Debian 12 and 13, Raspberry Pi OS (64 bit). `make help` lists what there is; every target may be called twice.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)
PIP_INSTALL := install -qq --disable-pip-version-check --no-input

# A Python that brings no ensurepip is Debian's own, without its package for virtual environments.
VENV_PACKAGE = $(shell $(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv)
DEMO_PACKAGES = $(VENV_PACKAGE) libzbar0 mosquitto fonts-dejavu-core
# Any release will do where one is installed already.
POSTGRESQL_PACKAGE = $(if $(wildcard /usr/lib/postgresql/*/bin/initdb),,postgresql)
TEST_PACKAGES = chromium poppler-utils gcc libc6-dev $(POSTGRESQL_PACKAGE)

# What decides, alone: levels 1 and 2 of gate/__init__.py, and whole gates on simulated edges.
PURE_TESTS := tests/policy tests/decoder $(wildcard $(addprefix tests/test_, $(addsuffix *.py, \
	admission certificates command cose delivery edge explanation imports inspection live peers portal presence scenarios texts trust uses view wire)))

.PHONY: help
help:  ## this list
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1\t\2/p' Makefile | expand -t 24

# --- what a machine needs ---

# Calls apt only for what is missing, and asks for a password only then.
define install_packages
	missing=$$(for package in $(1); do
		dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null | grep -qx installed || echo "$$package"
	done)
	[ -n "$$missing" ] || exit 0
	command -v apt-get >/dev/null || { echo "no apt-get here; install what matches:" $$missing >&2; exit 1; }
	echo "apt-get install" $$missing
	$(SUDO) apt-get update -qq
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 $$missing >/dev/null
endef

.PHONY: system
system:  ## apt packages that the demo needs
	@$(call install_packages,$(DEMO_PACKAGES))

.PHONY: system-tests
system-tests: system  ## apt packages that the tests need beside them
	@$(call install_packages,$(TEST_PACKAGES))

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(not (sys.version_info >= (3, 11) and sys.maxsize > 2**32))' || {
		echo "the gate needs Python 3.11 or newer, 64 bit; $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2
		echo "Name another one: make PYTHON=python3.12 ..." >&2
		exit 1
	}

.PHONY: venv
venv: .venv/installed  ## .venv from requirements/dev.lock

.venv/installed: requirements/dev.lock pyproject.toml | python system
	@[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	.venv/bin/pip $(PIP_INSTALL) --require-hashes --no-deps -r requirements/dev.lock
	.venv/bin/pip $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: crosscheck
crosscheck: .venv-crosscheck/installed  ## .venv-crosscheck: the implementation that ours is compared with

.venv-crosscheck/installed: requirements/crosscheck.lock | python system
	@[ -x .venv-crosscheck/bin/python ] || $(PYTHON) -m venv .venv-crosscheck
	.venv-crosscheck/bin/pip $(PIP_INSTALL) --require-hashes --no-deps -r requirements/crosscheck.lock
	touch $@

# Beside .venv, not in it: what changes the code needs its tests and all that they import.
.venv-mutation/installed: requirements/mutation.lock | venv
	@rm -rf .venv-mutation
	.venv/bin/pip $(PIP_INSTALL) --require-hashes --no-deps --target .venv-mutation -r requirements/mutation.lock
	touch $@

# A folder beside .venv as well: the peers read the same pixels in the same process.
.venv-opencv/installed: requirements/opencv.lock | venv
	@rm -rf .venv-opencv
	.venv/bin/pip $(PIP_INSTALL) --require-hashes --no-deps --target .venv-opencv -r requirements/opencv.lock
	touch $@

.venv-fuzz/installed: requirements/fuzz.lock requirements/gate.lock | python system
	@[ -x .venv-fuzz/bin/python ] || $(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/pip $(PIP_INSTALL) --require-hashes --no-deps -r requirements/gate.lock -r requirements/fuzz.lock
	touch $@

# --- see it ---

.PHONY: demo
demo: system venv  ## a whole gate on this machine, to try; Ctrl-C ends it
	@exec .venv/bin/gate demo

.PHONY: demo-once
demo-once: system venv  ## the same, by itself: fails unless all went as it should
	@exec .venv/bin/gate demo --once

# --- prove it ---

.PHONY: test
test: system-tests venv crosscheck  ## every test
	@start=$$SECONDS
	$(MAKE) pure
	.venv/bin/pytest --durations=10 --durations-min=2
	echo "make test: $$(((SECONDS - start) / 60)) min $$(((SECONDS - start) % 60)) s"

.PHONY: check
check: venv  ## lint, types, and the tests that take seconds
	@.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pytest -m "not slow"

.PHONY: pure
pure: venv  ## `make coverage` with the network cut
	@for cut in "unshare --net" "unshare --map-root-user --net"; do
		if $$cut true 2>/dev/null; then exec $$cut $(MAKE) coverage; fi
	done
	echo "make pure: this machine lets nobody cut the network for one process (unshare --net): it stays" >&2
	exec $(MAKE) coverage

.PHONY: sabotage
sabotage: system-tests venv  ## take each mechanism out of a copy, and see its proof fail
	@.venv/bin/python -m tests.sabotage

.PHONY: fuzz
fuzz: .venv-fuzz/installed  ## hostile input for every parser, for T seconds in all (docs/fuzzing.md); T=600
	@.venv-fuzz/bin/python -m tests.fuzz --seconds $(or $(T),600)

.PHONY: coverage
coverage: venv  ## that the tests take every branch of the part that decides
	@.venv/bin/coverage run --branch --include="$$(.venv/bin/python -m tests.proofs.pure_files)" -m pytest $(PURE_TESTS) \
		tests/test_yaml_config.py
	.venv/bin/coverage report --show-missing --skip-covered --fail-under=100

.PHONY: mutation
mutation: venv .venv-mutation/installed  ## change what decides, one place at a time: do the tests notice? (half an hour)
	@PYTHONPATH=$(CURDIR)/.venv-mutation .venv/bin/python -m tests.proofs.mutation $(PART)

.PHONY: proofs
proofs: system venv  ## the short form of every proof (docs/proofs.md)
	@.venv/bin/pytest tests/proofs --durations=5 --durations-min=5

.PHONY: proofs-long
proofs-long: system venv  ## the proofs of record: an hour or two; goes on where it was stopped
	@mkdir -p var/proofs
	.venv/bin/python -m tests.proofs.whole_gate --seed 1000 --total 10000000 --progress var/proofs/whole-gate.jsonl
	.venv/bin/python -m tests.proofs.reference_admission --cases 1000000
	.venv/bin/python -m tests.proofs.reference_health --cases 1000000
	.venv/bin/python -m tests.proofs.clock_jumps --jumps 10000
	.venv/bin/python -m tests.proofs.soak --days 30
	.venv/bin/python -m tests.proofs.crash_states --states 200000
	.venv/bin/python -m tests.proofs.nth_failure
	.venv/bin/python -m tests.proofs.empty_frames --frames 100000
	.venv/bin/python -m tests.proofs.kills --kills 2000
	.venv/bin/python -m tests.proofs.camera_kills --kills 1000
	.venv/bin/python -m tests.proofs.presence --steps 1000000 --gates 50
	.venv/bin/python -m tests.proofs.commands --commands 1000000
	.venv/bin/python -m tests.proofs.backlog --events 1000000

.PHONY: bench
bench: system venv  ## speed and memory against floors and peers, on a quiet machine (docs/benchmarks.md)
	@.venv/bin/gate bench $(BENCH)

.PHONY: photos
photos: .venv-opencv/installed  ## what engines read of photographs, OpenCV's beside ours: the table of docs/camera.md
	@.venv/bin/python -m bench.photos

# --- keep it current ---

.PHONY: schema
schema: venv  ## config/gate.schema.json and what docs/ takes from the code
	@.venv/bin/gate check --schema > config/gate.schema.json
	mark='<!-- from here on: python -m gate check --keys -->'
	text=$$(sed "/^$$mark$$/q" docs/configuration.md)
	printf '%s\n\n%s\n' "$$text" "$$(.venv/bin/gate check --keys)" > docs/configuration.md
	.venv/bin/python docs/make_asyncapi.py > docs/asyncapi.yaml
	.venv/bin/gate wiring --config config/gate.example.yaml --svg docs/wiring-example.svg

# Keeps the versions that a lock holds already; `make lock UPGRADE=--upgrade` takes the newest.
LOCK = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate $(UPGRADE)

.PHONY: lock
lock: | python  ## requirements/*.lock from pyproject.toml
	@[ -x .venv-lock/bin/uv ] || { $(PYTHON) -m venv .venv-lock; .venv-lock/bin/pip $(PIP_INSTALL) uv; }
	$(LOCK) pyproject.toml --extra camera -o requirements/gate.lock
	$(LOCK) pyproject.toml --extra central -o requirements/central.lock
	$(LOCK) pyproject.toml --extra camera --extra video --extra screen --extra osdp --extra central --extra dev -o requirements/dev.lock
	printf '%s\n' base45 cwt pycose | $(LOCK) - -o requirements/crosscheck.lock
	echo opencv-contrib-python-headless | $(LOCK) - -o requirements/opencv.lock
	echo 'atheris<3.1' | $(LOCK) - -o requirements/fuzz.lock  # 3.1 has no wheel for Python 3.11
	echo mutmut | $(LOCK) --constraint requirements/dev.lock - -o requirements/mutation.lock

.PHONY: wheel
wheel: venv  ## dist/gate-*.whl, to copy to a gate
	@rm -rf build dist
	.venv/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build
	ls dist/*.whl

# Debian 12 has Python 3.11, Debian 13 has 3.13; Raspberry Pi OS as well.
.PHONY: deb
deb: wheel  ## dist/gate_*.deb and gate-central_*.deb; ARCH=arm64 DEB_PYTHON=3.13 for a Pi with Debian 13
	@.venv/bin/python packaging/build_deb.py --wheel dist/gate-*.whl --arch $(or $(ARCH),amd64) \
		--python $(or $(DEB_PYTHON),3.11)

.PHONY: debs
debs: deb  ## the packages for every Pi as well: fails where a locked package has no wheel for one
	@for python in 3.11 3.13; do
		.venv/bin/python packaging/build_deb.py --wheel dist/gate-*.whl --arch arm64 --python $$python
	done

.PHONY: test-install
test-install: deb  ## install, watch, kill, upgrade, roll back and remove under a real systemd (root; 4 min)
	@$(call install_packages,systemd-container mmdebstrap)
	[ -e var/install/root.tar ] || {
		mkdir -p var/install
		mmdebstrap --quiet --variant=minbase bookworm var/install/root.part.tar \
			--include=systemd,systemd-sysv,udev,python3,libzbar0,libseccomp2
		mv var/install/root.part.tar var/install/root.tar
	}
	GATE_INSTALL=$(CURDIR)/var/install .venv/bin/pytest tests/install --timeout 600 -v

.PHONY: clean
clean:  ## remove all that was made here, the environments included
	@rm -rf .venv .venv-fuzz .venv-crosscheck .venv-mutation .venv-opencv .venv-lock .mypy_cache .ruff_cache .hypothesis .coverage *.egg-info build dist var
	rm -f .lgd-nfy*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
