# `make` lists the targets. Everything is installed into .venv from the hash-pinned requirements*.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV ?= $(or $(wildcard $(BIN)/uv),uv)
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet
INSTALL := $(PIP) --require-hashes --only-binary :all:
STAMP := $(VENV)/stamp
RUN_ARGS ?=
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 60
NODE := tests/e2e/node
QUALITY := .venv-quality
QUALITY_ARGS ?=

# The tests start hundreds of processes: none is to compile again what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo test lint e2e bench masking-quality endurance fuzz docs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: $(STAMP)-run ## start the gateway on its embedded default (RUN_ARGS="--gateway 127.0.0.1:9000" for options)
	@echo "The ostiary command is in $(BIN); in another terminal, put it on the path: . $(BIN)/activate"
	@exec $(BIN)/ostiary serve $(RUN_ARGS)

demo: $(STAMP)-run ## play the whole story with a local stand-in for Cursor's API: no account, no internet
	@exec $(BIN)/ostiary demo

test: $(STAMP)-dev ## the whole fast suite; CI runs exactly this after `make lint`
	$(BIN)/python -m pytest -n 3 --dist worksteal $(PYTEST_ARGS)

lint: $(STAMP)-dev ## ruff, mypy and the import rules of the architecture
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

e2e: $(STAMP)-dev $(STAMP)-e2e $(NODE)/node_modules/.package-lock.json $(QUALITY)/stamp ## real SDKs and tools, unchanged, against local upstreams through the gateway
	E2E_PRESIDIO_PYTHON=$(CURDIR)/$(QUALITY)/bin/python $(BIN)/python -m pytest tests/e2e $(PYTEST_ARGS)

bench: $(STAMP)-dev $(STAMP)-bench ## throughput, latency and memory beside nginx and Envoy
	$(BIN)/python -m bench

masking-quality: $(QUALITY)/stamp ## what masking finds and misses, beside two other tools (QUALITY_ARGS=--write for the documentation)
	$(QUALITY)/bin/python -m bench.masking_quality $(QUALITY_ARGS)

endurance: $(STAMP)-dev ## kills, full disks, gigabytes and random examples at full size
	ENDURANCE_SIZE=full $(BIN)/python -m pytest tests/journey tests/property tests/attacks/test_g_crowds.py $(PYTEST_ARGS)

fuzz: $(STAMP)-dev ## every fuzz target for FUZZ_SECONDS (default 60)
	@for target in tests/fuzz/fuzz_*.py; do $(BIN)/python $$target $(FUZZ_SECONDS) || exit 1; done

docs: $(STAMP)-dev $(STAMP)-docs ## the documentation as web pages in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) $(QUALITY) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment ---------------------------------------------------------------------------------------------

# A virtual environment copied from elsewhere, or left half-made, has no stamp and is made anew over what is there.
$(STAMP)-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Ostiary needs Python 3.11 or newer; '$(PYTHON)' is not. Install it, or name one: make PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Debian's python3-venv, which creating .venv needs."; \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null; \
	  else \
	    echo "Creating .venv needs Debian's python3-venv package: run 'sudo apt-get install python3-venv', then the same make again." >&2; exit 1; \
	  fi; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(STAMP)-run: $(STAMP)-venv requirements.txt pyproject.toml src/ostiary/__init__.py
	$(INSTALL) -r requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP)-dev $(STAMP)-docs $(STAMP)-e2e $(STAMP)-bench: $(STAMP)-%: $(STAMP)-run requirements-%.txt
	$(INSTALL) -r requirements-$*.txt
	@touch $@

# The tools that masking is compared with need much that nothing else here does: an environment of their own.
$(QUALITY)/stamp: $(STAMP)-venv requirements.txt requirements-quality.txt pyproject.toml
	$(PYTHON) -m venv $(QUALITY)
	$(INSTALL:$(BIN)/%=$(QUALITY)/bin/%) -r requirements.txt -r requirements-quality.txt
	$(PIP:$(BIN)/%=$(QUALITY)/bin/%) --no-deps --no-build-isolation --editable .
	@touch $@

# The real tools that the end-to-end tests run: about 1.2 GB, linux-x64, Node 22 among them.
$(NODE)/node_modules/.package-lock.json: $(NODE)/package.json $(NODE)/package-lock.json
	@command -v npm >/dev/null || { echo "make e2e needs npm: 'apt-get install npm', then the same make again." >&2; exit 1; }
	cd $(NODE) && npm ci --silent
	@touch $@

# -- the lock ----------------------------------------------------------------------------------------------------

GROUPS_LOCKED := dev docs e2e bench quality
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-strip-extras --custom-compile-command "make lock"

# Everything is resolved together once, so that a package has the same version in every file it appears in.
# What is pinned stays unless it must change; LOCK_ARGS=--upgrade (or "--upgrade-package NAME") moves it.
lock: ## resolve pyproject.toml and requirements.in again into the requirements*.txt (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	mkdir -p build
	cat requirements*.txt >build/everything.txt
	$(COMPILE) $(LOCK_ARGS) pyproject.toml requirements.in $(GROUPS_LOCKED:%=--group %) -o build/everything.txt
	$(COMPILE) pyproject.toml requirements.in -c build/everything.txt -o requirements.txt
	for group in $(GROUPS_LOCKED); do \
	  $(COMPILE) --group $$group -c build/everything.txt -o requirements-$$group.txt || exit 1; done
