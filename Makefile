# Needs python3 (3.11 or later) with venv. Everything else is installed into .venv.
PYTHON ?= python3
ARGS ?=
FUZZ_SECONDS ?= 60
# Test files at once: on two cores one more than those, for tests wait a lot. make test WORKERS=0 for one after the other
WORKERS ?= 3

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
INSTALLED := .venv/installed

.PHONY: lab test lint bench interop mutants hostile errors places fuzz notebooks clean

# JupyterLab on a writable copy of the notebooks, with the provider for learning. make lab ARGS="-- --no-browser"
lab: $(INSTALLED)
	$(PY) -m authnb lab $(ARGS)

# Lint, types, tests, and every notebook.
test: lint
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --nbval-lax notebooks

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Measure against what people would use instead; writes tests/bench/REPORT.md. make bench ARGS=startup for one.
bench: $(INSTALLED)
	$(PY) tests/bench $(ARGS)

# What the providers of others can do with authnb: install them, try everything, keep the table in docs/interop.md.
interop: $(INSTALLED)
	AUTHNB_REQUIRE_ALL=1 $(PY) tests/interop/matrix.py
	$(PY) tests/interop/presets_table.py

# Switch off each check of the client in a copy and see that a test notices.
mutants: $(INSTALLED)
	$(PY) tests/security/mutants.py

# Sign in at a provider that does everything it must not, and keep the table of what came of it in the docs.
hostile: $(INSTALLED)
	$(PY) tests/mischief/table.py

# Run into every error, and keep what people see in the docs.
errors: $(INSTALLED)
	$(PY) tests/security/errors_page.py

# Keep the tables of places and modes in docs/anywhere.md as the tests have them.
places: $(INSTALLED)
	$(PY) tests/topologies.py

# Fuzz every parser of what comes from outside, so many seconds each: make fuzz FUZZ_SECONDS=600
fuzz: $(INSTALLED)
	$(PY) tests/security/fuzz.py $(FUZZ_SECONDS)

# Run the notebooks and keep their outputs in the repository.
notebooks: $(INSTALLED)
	$(PY) tests/execute_notebooks.py

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -e ".[lab,demo,keyring,proxy,test]"
	$(PY) -c "open('$(INSTALLED)', 'w').close()"

clean:
	$(PYTHON) -c "import shutil; shutil.rmtree('.venv', ignore_errors=True)"
