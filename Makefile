# Every verb does its own set-up: Python 3.11 or newer with venv, and make, are all it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DIR    ?=
ARGS   ?=
SUITE  ?=

.DEFAULT_GOAL := help
.PHONY: help scan install dev test conformance lint format bench day soak fuzz docs clean check-python

help: ## list the verbs (this)
	@echo "tocsin: make VERB"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check-python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "tocsin needs Python 3.11 or newer; '$(PYTHON)' was not found."; \
	  echo "Install it (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tocsin needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.created: | check-python
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# A file's tests stay together, so that what they share is made once; in the order of their names,
# those that take longest come early.
WORKERS ?= auto
SPREAD  := -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# What a user gets: the package itself, built and installed, with the versions that were tested.
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt $(shell find src -type f -not -name '*.pyc')
	@echo "installing tocsin into $(VENV)/ …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "installing the development tools …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m compileall -q src
	@touch $@

install: $(VENV)/.installed ## install into .venv/ in this checkout

scan: $(VENV)/.installed ## scan a folder: make scan DIR=~/Downloads
	@test -n "$(DIR)" || { echo "name what to scan: make scan DIR=~/Downloads"; exit 2; }
	@$(BIN)/tocsin scan $(ARGS) $(DIR)

dev: $(VENV)/.dev ## install for development (editable, with tools)

test: $(VENV)/.dev ## run the tests (ARGS='-k name' for some of them)
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

conformance: $(VENV)/.dev ## all of the TUF conformance suite: make conformance SUITE=~/tuf-conformance
	@test -e "$(SUITE)" || { echo "name a clone of the TUF conformance suite: make conformance SUITE=~/tuf-conformance"; exit 2; }
	@command -v faketime >/dev/null 2>&1 || { echo "the suite sets the clock; on Debian: apt-get install faketime"; exit 2; }
	@TUF_CONFORMANCE="$(abspath $(SUITE))" $(BIN)/python -m pytest -rs $(ARGS) tests/updates/receive/test_conformance.py

lint: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "lint: clean"

format: $(VENV)/.dev ## let ruff write the code its way
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: $(VENV)/.dev ## measure side by side with installed peers (ARGS=--quick for a short run)
	@$(BIN)/python benchmarks/run.py --output benchmarks/RESULTS.md $(ARGS)

day: $(VENV)/.dev ## a day of updates by real processes, with every step's cost (ARGS=--quick)
	@$(BIN)/python benchmarks/a_day.py $(ARGS)

soak: $(VENV)/.dev ## ten minutes of load on the daemon, with disturbances (ARGS='--seconds 60')
	@$(BIN)/python benchmarks/soak.py $(ARGS)

fuzz: $(VENV)/.dev ## fuzz every reader for a while (ARGS='--seconds 300')
	@$(BIN)/python fuzz/run.py $(ARGS)

docs: $(VENV)/.dev ## write the generated parts of docs/ anew
	@$(BIN)/python tools/write_docs.py

clean: ## remove what the other verbs made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
