# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# An environment of its own: what looks over the project is no part of it.
AUDIT := $(VENV)/audit/bin
FUZZ_MINUTES ?= 10
# Tests of a file share studies that one process has trained; the long files come first.
BY_FILE := --dist loadfile --no-loadscope-reorder
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .

.PHONY: demo test long-test cluster-test check format bench fuzz audit sbom clean help

help:            ## Show what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: $(VENV)/.user          ## Install, then run a real study (about five minutes)
	$(BIN)/headstart demo

test: check                  ## Install, then lint, type-check and test everything
	$(BIN)/python -m pytest -n 2 $(BY_FILE) -m "not long"
	HEADSTART_REHEARSE=1 $(BIN)/python -m pytest -n 2 -m "not long" tests/gpu

long-test: $(VENV)/.dev      ## Slow tests of a kind of which `make test` runs another: before a release
	HEADSTART_REHEARSE=1 $(BIN)/python -m pytest -n 2 -m long

cluster-test: $(VENV)/.dev   ## Machines made of namespaces: workers and nodes that are cut off (needs root and ip)
	$(BIN)/python -m pytest tests/cluster

check: $(VENV)/.dev          ## Ruff, mypy and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev         ## Put the code in shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev          ## Every benchmark against its peer, in one interleaved run (hours on 2 cores)
	$(BIN)/python benchmarks/study_vs_trainer.py
	$(BIN)/python benchmarks/packs.py
	$(BIN)/python benchmarks/vocabulary.py

fuzz: $(VENV)/.dev           ## Every fuzzer, FUZZ_MINUTES=10 of CPU time each; FUZZ='-k words' for some
	HEADSTART_FUZZ_MINUTES=$(FUZZ_MINUTES) $(BIN)/python tests/fuzz $(FUZZ)

audit: $(VENV)/.audit        ## Known vulnerabilities of the pinned versions (needs a network)
	@$(AUDIT)/python -m pip_audit --strict --requirement constraints.txt --no-deps --disable-pip || { \
	  code=$$?; echo "make audit: what stands above was found; or PyPI, which it asks, could not be reached: nothing is known then"; exit $$code; }

sbom: $(VENV)/.user $(VENV)/.audit  ## What is installed, with versions and licences: sbom.cdx.json
	$(AUDIT)/python -m cyclonedx_py environment $(BIN)/python --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file sbom.cdx.json

clean:                       ## Remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.user: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL)
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP_INSTALL) --group dev
	@touch $@

$(VENV)/.audit: $(VENV)/bin/python pyproject.toml
	$(PYTHON) -m venv $(VENV)/audit
	$(AUDIT)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(AUDIT)/python -m pip install --quiet --group audit
	@touch $@
