# What a newcomer types. Needs Python 3.11 or later, make and a package index; everything lands in .venv.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.PHONY: setup setup-dev serve test lint openapi bench lock clean

setup: $(VENV)/.installed

serve: setup
	@exec $(BIN)/spendgate quickstart

test: setup-dev
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

openapi: setup
	$(BIN)/spendgate openapi > openapi.yaml.new && mv openapi.yaml.new openapi.yaml

bench: setup-dev
	@$(BIN)/python -m tests.bench $(ARGS)

# Recompiles the lock files; `make lock ARGS=--upgrade` takes the newest versions. Needs uv.
lock:
	$(LOCK) pyproject.toml requirements.in --output-file requirements.lock $(ARGS)
	$(LOCK) requirements-fast.in --constraint requirements.lock --output-file requirements-fast.lock $(ARGS)
	$(LOCK) requirements-dev.in --constraint requirements.lock --output-file requirements-dev.lock $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

setup-dev: $(VENV)/.installed-dev

# The stamps are written last, so an interrupted installation is taken up again.
$(VENV)/.installed: requirements.lock requirements-fast.lock pyproject.toml $(BIN)/python
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(PIP) --no-build-isolation --require-hashes --requirement requirements-fast.lock 2>/dev/null \
	  || echo "No C compiler here: requests are parsed in Python, which serves somewhat fewer a second."
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what tests and linters need into $(VENV) ..."
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Spendgate needs Python 3.11 or later; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments:" \
	  "its ensurepip is missing (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
