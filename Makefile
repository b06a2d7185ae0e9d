# Two commands on a fresh machine with Python 3.11+ do everything: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev
ARGS ?=
SEEDS ?= 10000

# Without Node the checks of the JavaScript are skipped, but not in CI.
has_node := $(shell command -v npm >/dev/null && node -p 'parseInt(process.versions.node) >= 18 || ""' 2>/dev/null)
ifneq ($(or $(CI),$(has_node)),)
NODE := $(VENV)/node
node_tool = $(NODE)/node_modules/.bin/$(1)
else
node_tool = @echo "skipped, needs Node 18 or newer and npm: $(1)"
endif

.PHONY: run test coverage check format help conformance bench soak explore lint types clean

run: $(RUN_STAMP)  ## serve the canvas on http://127.0.0.1:8000; ARGS="--port 9000" for options
	@exec $(BIN)/canopy run $(ARGS)

test: $(DEV_STAMP)  ## the whole suite, on all processors; ARGS="-n 0" for one process
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

coverage: $(DEV_STAMP)  ## the whole suite, and which lines it runs; takes half as long again
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered $(ARGS)

check: lint types test  ## what CI runs

format: $(DEV_STAMP)  ## format the code, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/\1#\2/p' $(MAKEFILE_LIST) | while IFS='#' read -r target text; do printf '%-12s %s\n' "$$target" "$$text"; done

lint: $(DEV_STAMP) $(NODE)  ## formatter and linters
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(call node_tool,eslint canvas supervision tests)

types: $(DEV_STAMP) $(NODE)  ## mypy --strict over the packages and the tests, and tsc over the JavaScript
	$(BIN)/mypy
	$(call node_tool,tsc)

conformance: $(DEV_STAMP)  ## the Autobahn test suite against /echo; needs a Python 2.7; ARGS=--full for all 517 cases
	$(BIN)/python -m tests.conformance.autobahn $(ARGS)

explore: $(DEV_STAMP)  ## simulate the whole canvas with many seeds: SEEDS=100000
	SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/simulation -k under_every_seed $(ARGS)

bench: $(DEV_STAMP)  ## throughput beside other servers, in one run
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(DEV_STAMP)  ## half an hour of load, crashes and misbehaving clients; ARGS="--seed 2" for another one
	$(BIN)/python -m tests.bench.soak $(ARGS)

clean:  ## remove the environment
	rm -rf $(VENV)

$(VENV)/node: package.json  # the tools of the checks of the JavaScript, and ws for tests/clients
	@mkdir -p $@
	@cp package.json $@
	npm install --silent --no-audit --no-fund --no-package-lock --prefix $@ || { rm -rf $@; exit 1; }
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "canopy needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(RUN_STAMP)
