# Needs python3 (3.11 or later) with venv. tools/install.py puts everything else into .venv, on first use.
PYTHON ?= python3
ARGS ?=
FUZZ_SECONDS ?= 60
# Test files at once: on two cores twice as many, for tests wait half of their time. make test WORKERS=0 for one after
# the other
WORKERS ?= 4

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
CLIENTS_PY := $(BIN:.venv/%=.venv-clients/%)/python
CLUSTERS_PY := $(BIN:.venv/%=.venv-clusters/%)/python
# The notebooks whose libraries the lab does not install
OTHER_LIBRARIES := notebooks/12_one_sign_in.ipynb
WORKERS_NOTEBOOK := notebooks/13_workers.ipynb
INSTALL := $(PYTHON) tools/install.py
PLATFORMS := linux win32 darwin
NO_BROWSER := $(addprefix --ignore=tests/,bench hostile kit project typed)

.PHONY: lab test lint lowest bench browser clients clusters oldest interop mutants hollow hostile errors messages places tables states statements fuzz notebooks twice clean installed

# JupyterLab on a writable copy of the notebooks, with the provider for learning. make lab ARGS="-- --no-browser"
lab:
	@$(INSTALL) lab
	$(PY) -m authnb lab $(ARGS)

# Lint, types, tests, and every notebook; browser, clients, clusters, interop and places have targets of their own.
test: lint
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --nbval-lax notebooks

lint: installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@$(MAKE) --no-print-directory --jobs $(words $(PLATFORMS)) $(PLATFORMS:%=types-%)

# The types as on each platform, at once
types-%: installed
	$(PY) -m mypy --platform $* --cache-dir .mypy_cache/$*

# The tests that need no browser, with the lowest version of each requirement in pyproject.toml.
lowest:
	@$(INSTALL) lowest
	$(BIN:.venv/%=.venv-lowest/%)/python -m pytest -n $(WORKERS) --dist loadfile $(NO_BROWSER) $(ARGS)

# Measure against what people would use instead; writes tests/bench/REPORT.md. make bench ARGS=startup for one.
bench: installed
	$(PY) tests/bench $(ARGS)

# The panel in JupyterLab and Notebook 7, and what is left of a sign-in there, in Chromium.
browser: installed
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/browser tests/leaks $(ARGS)

# authnb at the providers of others, and the clients of others at the provider for learning.
interop: installed
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/interop $(ARGS)

# Switch off each check in a copy and see that a test notices, in the environment of make clients. make mutants
# ARGS=httpx for some, by name or file
mutants:
	@$(INSTALL) clients
	$(BIN:.venv/%=.venv-clients/%)/python tests/security/mutants.py $(ARGS)

# Break each function in turn and list those that no test notices, and tests that notice nothing; an hour or more.
hollow: installed
	nice $(PY) tests/security/hollow.py .cache/hollow $(ARGS)

# Sign in at a provider that does everything it must not, and keep the table of what came of it in the docs.
hostile: installed
	$(PY) tests/hostile/table.py

# Run into every error, and keep what people see in the docs.
errors: installed
	$(PY) tests/security/errors_page.py

# Keep the catalogues of authnb/locale at the sentences of the source, and compile them.
messages: installed
	$(PY) tests/locale/catalogues.py

# Sign in from the front ends and servers of others, installed in an environment of its own.
places:
	@$(INSTALL) places
	$(BIN:.venv/%=.venv-places/%)/python -m pytest -n $(WORKERS) --dist loadfile tests/places $(ARGS)

# Read from servers of their kind with the libraries of others, installed in an environment of its own, and run the
# notebook that does.
clients:
	@$(INSTALL) clients
	$(CLIENTS_PY) -m pytest -n $(WORKERS) --dist loadfile tests/clients $(ARGS)
	$(CLIENTS_PY) -m pytest --nbval-lax $(OTHER_LIBRARIES)

# Share a sign-in with the workers of Dask and Ray, installed in an environment of its own, and run the notebook that does.
clusters:
	@$(INSTALL) clusters
	$(CLUSTERS_PY) -m pytest -n $(WORKERS) --dist loadfile tests/clusters $(ARGS)
	$(CLUSTERS_PY) -m pytest --nbval-lax $(WORKERS_NOTEBOOK)

# Each adapter's test with the oldest version of its library, in an environment for each. make oldest ARGS=polars for one
oldest:
	@$(INSTALL) clients
	$(BIN:.venv/%=.venv-clients/%)/python tests/clients/oldest.py $(ARGS)

# Try every provider again, and keep the tables of providers, presets, clients and places in docs/.
tables: installed
	@$(INSTALL) clients
	$(CLIENTS_PY) tests/clients/clients_table.py
	AUTHNB_REQUIRE_ALL=1 $(PY) tests/interop/matrix.py
	$(PY) tests/interop/presets_table.py
	$(PY) tests/helpers/topologies.py

# Walk through every state of a session, and keep the table in docs/states.md.
states: installed
	$(PY) tests/helpers/session_states.py

# Keep the table of what the notebooks state, from tests/kit/statements, in docs/statements.md.
statements: installed
	$(PY) tests/kit/statements_page.py

# Fuzz every parser of what comes from outside, so many seconds each: make fuzz FUZZ_SECONDS=600
fuzz: installed
	$(PY) tests/security/fuzz.py $(FUZZ_SECONDS)

# Run the notebooks and keep their outputs in the repository.
notebooks: installed
	$(PY) tests/kit/execute_notebooks.py $(filter-out $(OTHER_LIBRARIES) $(WORKERS_NOTEBOOK),$(sort $(wildcard notebooks/*.ipynb)))
	@$(INSTALL) clients
	$(CLIENTS_PY) tests/kit/execute_notebooks.py $(OTHER_LIBRARIES)
	@$(INSTALL) clusters
	$(CLUSTERS_PY) tests/kit/execute_notebooks.py $(WORKERS_NOTEBOOK)

# Run each cell of the notebooks twice, then all again, as learners do; two minutes on two cores.
twice: installed
	$(PY) tests/kit/run_twice.py $(filter-out $(OTHER_LIBRARIES) $(WORKERS_NOTEBOOK),$(sort $(wildcard notebooks/*.ipynb)))
	@$(INSTALL) clients
	$(CLIENTS_PY) tests/kit/run_twice.py $(OTHER_LIBRARIES)
	@$(INSTALL) clusters
	$(CLUSTERS_PY) tests/kit/run_twice.py $(WORKERS_NOTEBOOK)

# All that the tests need
installed:
	@$(INSTALL) test

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(name, ignore_errors=True) for name in ('.venv', '.venv-clients', '.venv-clusters', '.venv-lowest', '.venv-places')]"
