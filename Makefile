# Bare `make` lists the targets. Needs only Python 3.11 or 3.12, make and git.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help install install-dev demo up test chaos bench bench-qlib check format constraints clean

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check
# PYTHON=/path/to/python chooses the interpreter; without it the first that fits is taken.
PYTHON ?=

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make .venv and install Barlake from the pinned constraints

install-dev: $(VENV)/.installed-dev

demo: install ## from nothing to a simulated model, in one go (BARLAKE_DEMO_DATA, BARLAKE_DEMO_SYMBOLS)
	@$(PY) -m app.cli demo

up: install ## start broker, workers, scheduler, API and UI; Ctrl-C stops them
	@$(PY) -m app.cli up

test: install-dev ## run every test, on three processes: many of them wait
	@$(PY) -m pytest -q -n 3 --dist loadfile

chaos: install-dev ## kill, crowd and shuffle the lake (BARLAKE_CHAOS_SEED, BARLAKE_CHAOS_POINTS); docs/chaos.md
	@BARLAKE_CHAOS=full $(PY) -m pytest -q -n 2 --dist worksteal tests/chaos

bench: install .venv-bench/.installed ## measure beside peers, in one run; writes bench/results/latest.json
	@$(PY) -m bench

# All 800 symbols take Qlib about 5 minutes and 5.4 GB.
BARLAKE_BENCH_SYMBOLS ?= 60
bench-qlib: install .venv-qlib/.installed ## factors of daily bars beside Qlib's (BARLAKE_BENCH_SYMBOLS); writes bench/results/qlib.json
	@$(PY) -m bench.qlib $(BARLAKE_BENCH_SYMBOLS)

check: install-dev ## format, lint, types, rooms, docs
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m pytest -q tests/test_docs.py

format: install-dev ## put the code into its one format
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

constraints: $(PY) ## write constraints.txt anew from pyproject.toml
	@$(PIP) uv
	@$(PY) -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --upgrade --quiet --output-file constraints.txt

clean: ## remove .venv and caches; the lake in data/ stays
	@rm -rf $(VENV) .venv-bench .venv-qlib build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Peers that cannot share our environment (ArcticDB and Streamlit want different protobufs).
.venv-bench/.installed: bench/peers/requirements.txt | $(PY)
	@echo "Installing the peers into .venv-bench ..."
	@$(PY) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install -qq --disable-pip-version-check --requirement bench/peers/requirements.txt
	@touch $@

.venv-qlib/.installed: bench/peers/qlib-requirements.txt | $(PY)
	@echo "Installing Qlib into .venv-qlib ..."
	@$(PY) -m venv .venv-qlib
	@.venv-qlib/bin/python -m pip install -qq --disable-pip-version-check --requirement bench/peers/qlib-requirements.txt
	@touch $@

$(PY):
	@chosen='$(PYTHON)'; \
	fits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; }; \
	if [[ -z $$chosen ]]; then \
	  for name in python3 python3.12 python3.11 python; do fits $$name && chosen=$$name && break; done || true; \
	fi; \
	if [[ -z $$chosen ]] || ! fits "$$chosen"; then \
	  echo "Python 3.11 or 3.12 is needed; name one with: make PYTHON=/path/to/python3.12 install" >&2; exit 1; \
	fi; \
	if ! "$$chosen" -m venv $(VENV); then \
	  rm -rf $(VENV); echo "$$chosen cannot make a virtual environment (on Debian: apt install python3-venv)." >&2; exit 1; \
	fi

$(VENV)/.installed: pyproject.toml constraints.txt | $(PY)
	@echo "Installing Barlake into $(VENV) ..."
	@$(PIP) --editable . --constraint constraints.txt
	@echo "Compiling its loops ..."
	@$(PY) -m simulation_service.warming
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what tests and checks need ..."
	@$(PIP) --editable '.[dev]' --constraint constraints.txt
	@touch $@
