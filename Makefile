# Everything works on a fresh machine: each goal sets up .venv by itself, with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types clean

demo: .venv/core
	$(BIN)/oddlens demo

test: .venv/test
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The extra dependencies come on top of what is there, so that one environment serves all goals.
.venv/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/test .venv/dev: .venv/core
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(notdir $@)]'
	touch $@
