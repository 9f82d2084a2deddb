# Every target sets up what it needs, and a second run does nothing twice. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Inside the environment, so that they vanish with it.
STAMPS := $(VENV)/.make
SCRATCH := .make
# In how many processes tests run, each with a core for its trainings (tests/conftest.py); 0 is one, with all cores.
TEST_PROCESSES ?= 2
PROTOS := $(shell find protos/annotateforge -name '*.proto' 2>/dev/null)
ROOTS := runtime client gateway services deploy protos web/build.py tests benchmarks hatch_build.py
APP := gateway/src/annotateforge/gateway/static/index.html

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo up test chaos lint fmt protos web bench lock .venv

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z.]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: web ## Install, start the embedded stack, train a model on sample images, show what it learnt
	$(BIN)/annotateforge demo

up: web ## Install and start everything on this machine; Ctrl-C stops it
	$(BIN)/annotateforge up

test: web ## Install and run every test
	$(BIN)/python -m pytest --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder

chaos: .venv ## Interrupt trainings in every way for a long time, and see that none is lost
	$(BIN)/python -m pytest tests/chaos

lint: .venv ## Check style, types, import contracts, the protos and the web app
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(wildcard $(ROOTS))
	$(BIN)/lint-imports
	$(BIN)/python protos/check.py
	$(BIN)/python web/build.py --types
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent check && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent lint

fmt: .venv ## Format the code, mend what ruff can mend, make the blocking client anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python client/make_sync.py
	$(BIN)/python web/build.py --types
	cd web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent format

web: .venv ## Build the web app into the gateway, if anything of it has changed
	$(BIN)/python web/build.py

protos: $(STAMPS)/locked ## Generate protos/gen anew
	$(BIN)/python protos/generate.py --force

bench: .venv ## Run every benchmark and print its ratio
	@set -e; for file in benchmarks/[a-z]*.py; do name=$$(basename "$$file" .py); echo "== $$name"; $(BIN)/python -m "benchmarks.$$name"; done

lock: ## Compile requirements.lock anew from pyproject.toml
	rm -rf $(SCRATCH)/lock
	$(PYTHON) -m venv $(SCRATCH)/lock
	$(SCRATCH)/lock/bin/python -m pip install --quiet uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(SCRATCH)/lock/bin/uv pip compile pyproject.toml --quiet --extra dev \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --output-file requirements.lock
	rm -rf $(SCRATCH)/lock

# The environment: the interpreter, then the locked packages, then this project, then the generated code, and once the
# web app, which `make web` keeps up to date.
.venv: $(STAMPS)/locked $(STAMPS)/project $(STAMPS)/protos $(APP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "AnnotateForge needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name another one with: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu, python3 -m venv needs the package python3-venv." >&2; exit 1; }

$(STAMPS)/locked: requirements.lock | $(BIN)/python
	@mkdir -p $(STAMPS)
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/project: pyproject.toml hatch_build.py $(STAMPS)/locked
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/protos: protos/generate.py $(PROTOS) $(STAMPS)/project
	$(BIN)/python protos/generate.py
	@touch $@

$(APP): | $(STAMPS)/protos
	$(BIN)/python web/build.py
