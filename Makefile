# Two commands matter: `make run` and `make test`. Each sets up what is missing and is instant when nothing is.
# No pinned version is written here: requirements.txt and its sisters hold them, with hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A quiet pyright: its version is pinned with the others, so newer ones are no news.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1
# The tests start a hundred processes: without its compiled files each would compile all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Options for pytest, for example: make test PYTEST='-k ride -x'
PYTEST ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench fuzz agreement canaries lock clean

help: ## Show this text
	@echo "Mancard: the fare system of a city's buses."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/ready-to-run ## Start the ledger and a virtual bus, and print the addresses to open
	@$(BIN)/mancard run

test: $(VENV)/ready-to-test ## Install what the tests need, check the code, run every test
	@$(MAKE) --no-print-directory -j2 lint compiled
	$(BIN)/python -m pytest -n 6 --dist loadscope --no-loadscope-reorder $(PYTEST)

lint: $(VENV)/ready-to-test ## Check style, types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# In a fresh checkout each of the six workers would compile every module and test for itself. What is wrong with one
# is said by the run that follows.
compiled: $(VENV)/ready-to-test
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 || true

format: $(VENV)/ready-to-test ## Rewrite the code in the house's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/ready-to-test ## Measure against the floors of the design (BENCH='--quick --json FILE --plot FILE.svg')
	$(BIN)/python -m benchmarks $(BENCH)

fuzz: $(VENV)/ready-to-test ## Feed hostile bytes to card, emulator and decoders (FUZZ_SECONDS=60 for each)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-build --require-hashes -r requirements-fuzz.txt || true
	@$(BIN)/python -m fuzz

agreement: $(VENV)/ready-to-test ## Let bus and ledger price 10,000 random taps each, on both databases (AGREEMENT_TAPS=10000)
	AGREEMENT_TAPS=$${AGREEMENT_TAPS:-10000} AGREEMENT_EVERYWHERE=1 $(BIN)/python -m pytest -n 2 --dist load tests/system/test_tariff_agreement.py

canaries: $(VENV)/ready-to-test ## Remove each defence in a copy of the tree: its test must fail
	@scripts/canaries

lock: $(VENV)/ready-to-test ## Resolve the dependencies anew into the two requirement files
	$(BIN)/uv lock --upgrade
	@scripts/export-requirements

clean: ## Remove .venv and the caches, never the state of a running system
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .fuzz .import_linter_cache

$(VENV)/ready-to-run: requirements.txt pyproject.toml scripts/system-packages scripts/python-environment
	@scripts/system-packages run
	@PYTHON=$(PYTHON) scripts/python-environment requirements.txt
	@touch $@

$(VENV)/ready-to-test: requirements-dev.txt pyproject.toml scripts/system-packages scripts/python-environment
	@scripts/system-packages test
	@PYTHON=$(PYTHON) scripts/python-environment requirements-dev.txt
	@touch $@ $(VENV)/ready-to-run
