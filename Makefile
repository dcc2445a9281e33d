# Everything a person can do here. `make` alone lists it.
PYTHON ?= python3.11
JOBS ?= 2
OUT ?= build

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup book pdf test test-slow bench clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	  printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: $(READY) ## make .venv from requirements.lock and install the package into it

$(READY): requirements.lock pyproject.toml
	@begun=$$(date +%s); \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || exit 1; \
	echo "installing the environment of requirements.lock into $(VENV) (some minutes)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock || exit 1; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . || exit 1; \
	touch $@; \
	echo "  environment: $$(( $$(date +%s) - begun )) s"

book: $(READY) ## execute the notebooks and build the book
	@$(BIN)/transfer report --out $(OUT) --jobs $(JOBS)

pdf: $(READY) ## the same, and print the book as build/report.pdf (needs Chromium)
	@$(BIN)/transfer report --out $(OUT) --jobs $(JOBS) --pdf

test: book ## lint, format, types, tests and the built book in a browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" -n $(JOBS)

test-slow: $(READY) ## the tests that take more than ten seconds each
	$(BIN)/pytest -m slow

bench: $(READY) ## time resampling beside scipy, and scoring beside lm-evaluation-harness, into data/bench (25 minutes)
	@$(BIN)/python tests/benchmarks/bench_uncertainty.py
	@$(BIN)/python tests/benchmarks

clean: ## remove what was built, but not the environment
	rm -rf $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
