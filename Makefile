# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo block-blender test nightly soak check lint format types docs reference clean

demo: $(VENV)/demo.stamp
	@$(BIN)/python -m benchmarks demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PORT),--port $(PORT))

test: check
	$(BIN)/python -m pytest -m "not nightly"

nightly: check
	FAULT_RESULTS=.cache/bench/faults.json HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest

# An hour of 16 RTSP cameras of which five leave and return: memory, returns and threads are held.
soak: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks soak --json .cache/bench/soak.json --check

check: lint types docs

lint: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/test.stamp
	$(BIN)/mypy

docs: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py --check

reference: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py

# Blender's Python module pins an older numpy, so it has an environment of its own.
block-blender: .venv-block/stamp

format: $(VENV)/test.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-block .cache runs/demo build dist *.egg-info central_ingest/pages/node_modules central_ingest/pages/static/vendor

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); sh tests/system/packages.sh python3-venv && $(PYTHON) -m venv $(VENV); }

.venv-block/stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Blender's Python module needs Python 3.11; name it: make PYTHON=python3.11 block-blender"; exit 1; }
	@$(PYTHON) -m venv .venv-block
	@.venv-block/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[block]'
	@touch $@

$(VENV)/demo.stamp: pyproject.toml central_ingest/pages/package-lock.json | $(BIN)/python
	@echo "installing the agent and the centre …"
	@$(PIP) --editable '.[edge,centre]'
	@$(BIN)/python -m central_ingest.pages.build
	@touch $@

$(VENV)/test.stamp: pyproject.toml central_ingest/pages/package-lock.json tests/system/packages.sh | $(BIN)/python
	@sh tests/system/packages.sh mosquitto postgresql chromium gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad python3-gi fonts-noto-cjk
	@$(PIP) --editable '.[dev]'
	@$(BIN)/python -m central_ingest.pages.build
	@touch $@
