# sscard: everything a contributor and CI runs. `make` lists the verbs.
# The virtual environment lives in the checkout; stamp files make the second run quick.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMV_VENV := .venv-emv
PIP := $(BIN)/python -m pip --quiet
PYTEST := $(BIN)/python -m pytest --dist worksteal
# One worker more than there are processors: those with the real stack wait more than they work.
WORKERS = $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help deps demo test lint unit in-process package container soak bench docs clean pcsc-packages

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

deps: pcsc-packages $(VENV)/.stamp-test $(EMV_VENV)/.stamp ## install what tests need: system packages as root, a venv
	@if $(BIN)/python -c 'import smartcard.scard' 2>/dev/null; then \
	    : ; \
	elif [ -e /usr/include/PCSC/winscard.h ] && $(PIP) install -e '.[pcsc]'; then \
	    echo "deps: pyscard built and installed"; \
	else \
	    echo "deps: NO PYSCARD (it needs libpcsclite-dev and a C compiler): its tests are skipped"; \
	    [ "$${CI:-}" != true ]; \
	fi
	@$(BIN)/python tools/pyscard_source.py || [ "$${CI:-}" != true ]

# PyPI's emv pins an old pyscard, so it lives in an environment of its own; tests drive its emvtool
# over pcscd, and in one process with our cards, for which it has what those import.
$(EMV_VENV)/.stamp: | pcsc-packages
	@$(PYTHON) -m venv $(EMV_VENV)
	@$(EMV_VENV)/bin/python -m pip --quiet install 'emv==1.0.14' 'setuptools<81' \
	    construct cryptography filelock && touch $@ || { \
	    echo "deps: NO EMVTOOL (its pyscard 2.0.0 needs swig and a C compiler): its tests are skipped"; \
	    [ "$${CI:-}" != true ]; \
	}

demo: $(VENV)/.stamp-base ## build, personalise and use a dual-application card
	@$(BIN)/sscard demo

test: deps lint unit in-process package ## all that CI runs

lint: $(VENV)/.stamp-test ## style, types, layers, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

unit: $(VENV)/.stamp-test # the tests alone; PYTEST_ARGS narrows them
	$(PYTEST) -n $(WORKERS) $(PYTEST_ARGS)

# The suites once more, with pyscard and a reader in process between the tests and the cards; not
# what tests the test kit (planted mistakes, strategies, the plugin, captures), nor the million
# commands of the fuzzer.
OF_THE_KIT := *_planted.py *test_fuzz.py *test_strategies.py *test_garbled_cards.py \
    *test_plugin.py *test_capture*.py
in-process: $(VENV)/.stamp-test
	$(PYTEST) -n auto --through-pyscard $(foreach name,$(OF_THE_KIT),--ignore-glob '$(name)') \
	    tests/golden tests/spec tests/properties tests/unit

# The wheel is built from the sdist, must hold exactly the package, and must run without the source.
package: $(VENV)/.stamp-test # wheel and sdist, installed and started elsewhere
	rm -rf dist
	$(BIN)/python -m build --outdir dist . >/dev/null
	diff <(cd src && find sscard -type f ! -path '*__pycache__*' | LC_ALL=C sort) \
	     <($(BIN)/python -m zipfile -l dist/*.whl | awk '$$1 ~ /^sscard\// { print $$1 }' | LC_ALL=C sort)
	away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT; wheel=$$(ls "$$PWD"/dist/*.whl); \
	$(PYTHON) -m venv "$$away/venv"; \
	"$$away/venv/bin/python" -m pip --quiet install "$$wheel"; \
	cd "$$away"; venv/bin/sscard --version; venv/bin/python -c "import sscard"
	@echo "package: $$(cd dist && echo *) installed from the wheel and started"

container: $(VENV)/.stamp-test ## build the image of the CI how-to, run tests in it without network
	$(BIN)/python -m pytest -m "" tests/interop/test_container.py

soak: $(VENV)/.stamp-test ## every test, the long ones too, with far more random examples
	SSCARD_HYPOTHESIS=soak $(PYTEST) -n auto -m "" $(PYTEST_ARGS)

bench: $(VENV)/.stamp-base ## measure, against a floor of the same run (ARGS are passed on)
	$(BIN)/python benchmarks/run.py --json benchmarks/results/latest.json $(ARGS)

docs: $(VENV)/.stamp-base ## regenerate the generated pages
	$(BIN)/python docs/generate.py

clean: ## remove what was built (not the venv: delete .venv for that)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests docs tools -name __pycache__ -type d -prune -exec rm -rf {} +

pcsc-packages:
	@tools/system-packages pcsc "$(PYTHON)"

$(BIN)/python:
	@tools/system-packages venv "$(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sscard needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-base: pyproject.toml | $(BIN)/python
	$(PIP) install -e .
	@touch $@

$(VENV)/.stamp-test: pyproject.toml | $(BIN)/python
	$(PIP) install -e '.[test]'
	@touch $(VENV)/.stamp-base $@
