# Pilothouse. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/uv/bin/uv
SYNC := $(UV) pip sync --quiet --require-hashes --python $(BIN)/python
PLACE := $(UV) pip install --quiet --no-deps --no-build-isolation --offline --python $(BIN)/python -e .

.DEFAULT_GOAL := help
.PHONY: help install run dev check test soak chaos bench bench-peers lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The installer lives in a corner of its own, so that an exact sync never removes it.
$(UV): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Pilothouse needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make run PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Could not make $(VENV). On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --target $(VENV)/uv -r requirements/bootstrap.txt
	@touch $(UV)

$(VENV)/.base: $(UV) requirements/base.txt pyproject.toml
	@$(SYNC) requirements/base.txt && $(PLACE) && rm -f $(VENV)/.dev && touch $@

$(VENV)/.dev: $(UV) requirements/dev.txt pyproject.toml
	@$(SYNC) requirements/dev.txt && $(PLACE) && touch $(VENV)/.base $@

install: $(VENV)/.base ## make .venv and nothing else

run: $(VENV)/.base ## start the trading desk: API, jobs, SQLite and a simulated market in one process
	@exec $(BIN)/pilothouse up

dev: $(VENV)/.dev ## make .venv with what checks, tests and benchmarks need

check: $(VENV)/.dev ## format, lint, types, import contracts, house rules
	$(BIN)/ruff format --check src tests tools
	$(BIN)/ruff check src tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/tidy.py

test: $(VENV)/.dev check ## check, and every test on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -n auto --dist worksteal

soak: $(VENV)/.dev ## the long runs: thousands of seeds, every death; hours if you let it (SOAK="-k word" for some)
	$(BIN)/python -m pytest -n auto --dist worksteal --soak $(SOAK)

chaos: $(VENV)/.dev ## kill the product again and again at an exchange that fails, and count (ALERTS=10000 SEED=n)
	$(BIN)/python -m tests.chaos

bench: $(VENV)/.dev ## measure speed; prints ratios to a floor measured in the same run (ROWS="backtest sweep" for some)
	$(BIN)/python -m tests.speed $(ROWS)

bench-peers: $(VENV)/.dev ## the same backtests by other engines, results first (PEERS="vectorbt raptorbt" ROWS="flip sweep" EACH_S=120)
	$(BIN)/python -m tests.peers

lock: $(UV) ## resolve the locked requirements anew
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/bootstrap.in -o requirements/bootstrap.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml requirements/base.in -o requirements/base.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml requirements/base.in -c requirements/base.txt -o requirements/dev.txt

clean: ## remove .venv, the peers' environments and caches; never touches data
	rm -rf $(VENV) .peers .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
