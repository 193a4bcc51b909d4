# Every target installs what it needs. The machine needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTS ?=

# The desk's own Ray always uses its own token (docs/decisions/0019).
export RAY_USAGE_STATS_ENABLED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-plain test-ray matrix check bench trials docs cluster constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

setup: $(READY) ## create the virtual environment

demo: $(READY) ## run five minutes of a made-up market through the whole desk
	$(BIN)/desk run configs/demo.toml

test: $(READY) ## run all tests but the trials; TESTS='...' replaces the arguments of pytest
ifeq ($(TESTS),)
	+@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-plain test-ray
else
	$(BIN)/pytest $(TESTS)
endif

# Side by side, since those on Ray mostly wait. Compiled once, not by each of the many processes that they start.
test-plain test-ray: export PYTHONDONTWRITEBYTECODE :=
test-plain: $(READY)
	$(BIN)/pytest -m "not trial and not ray"

test-ray: $(READY)
	$(BIN)/pytest -m "ray and not trial" tests/actors

matrix: ## run the tests on each supported Python of this machine; MATRIX='...' names interpreters
	+@MAKE='$(MAKE)' .ci/matrix

check: $(READY) ## style, types and the order of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## run the short benchmarks and print the figures
	$(BIN)/python -m benchmarks.short

trials: $(READY) ## run the long tests: full counts and whole days
	$(BIN)/pytest -m "trial or hypothesis" --hypothesis-profile=all-examples -s

docs: $(READY) ## rewrite the pages that are made from code
	$(BIN)/python -m desk.config.reference > docs/reference/tradeplan.md
	$(BIN)/python -m desk.telemetry.metrics_page > docs/reference/metrics.md
	$(BIN)/python -m console.cli_reference > docs/reference/cli.md

cluster: $(READY) ## fill build/cluster, which `ray up cluster.yaml` sends to the nodes
	$(BIN)/python -m console.cluster_files build/cluster

constraints: $(READY) ## rewrite constraints.txt and cluster-requirements.txt from the installed packages
	$(BIN)/pip freeze --exclude-editable > constraints.txt
	$(BIN)/python .ci/hashes

clean: ## delete the virtual environments and the tools' caches
	rm -rf $(VENV) .venv-* *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Debian's python3 comes without ensurepip (package python3-venv); an installed pip can do its work.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is too old or absent: raydesk needs Python 3.11 or newer." >&2; \
	  echo "Install it (Debian 12: apt-get install python3), or name one: make PYTHON=/path/to/python3.11 ..." >&2; \
	  exit 2; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv --clear $(VENV); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	else \
	  echo "$(PYTHON) has neither ensurepip nor pip, so a virtual environment cannot be made." >&2; \
	  echo "Install one of them (Debian: apt-get install python3-venv) and run make again." >&2; \
	  exit 2; \
	fi
