# make demo, make test: these need Python 3.11 or later and nothing else. PYTHON=python3.13 selects another one,
# which gets a virtual environment of its own.

PYTHON ?= python3
SUFFIX := $(patsubst python%,%,$(notdir $(PYTHON)))
VENV ?= .venv$(if $(filter-out 3,$(SUFFIX)),-$(SUFFIX))
BIN := $(VENV)/bin
BIND ?= 127.0.0.1:8000
PYTEST_ARGUMENTS ?=
BENCH_ARGUMENTS ?=

# An environment in which the package is installed in editable form (make develop) stays that way, and sees every
# change at once. Any other gets a copy of the package, which is made anew when a source file is newer.
EDITABLE := $(if $(wildcard $(VENV)/lib/python*/site-packages/__editable__.ropewalk-*.pth),--editable)
SOURCES := pyproject.toml README.md LICENSE
ifeq ($(EDITABLE),)
SOURCES += $(shell find reactor server asgi wsgi src/ropewalk \( -name '*.py' -o -name '*.html' -o -type d \) \
	-not -name __pycache__)
endif

# Left-overs of an earlier build would be packed again, modules that are gone included.
INSTALL = rm -rf build && $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1) && rm -rf build

.PHONY: help demo test develop check bench changelog docs-reference

help:
	@echo "make demo             serve the demo application on http://$(BIND)"
	@echo "make test             run the tests; PYTEST_ARGUMENTS='-k http1' selects some"
	@echo "make develop          install in editable form, with every tool a contributor needs"
	@echo "make check            ruff and mypy"
	@echo "make bench            measure side by side with other servers; BENCH_ARGUMENTS='--help' lists options"
	@echo "make changelog        show the changes of the next release"
	@echo "make docs-reference   write the generated pages of docs/reference"
	@echo "PYTHON=python3.13     with any of them: another interpreter, another environment"

demo: $(VENV)/.ropewalk
	@echo "The demo is on http://$(BIND) until you press Ctrl-C."
	@exec $(BIN)/ropewalk ropewalk.demo:app --bind $(BIND)

test: $(VENV)/.ropewalk-test
	@exec $(BIN)/python -m pytest $(PYTEST_ARGUMENTS)

develop: | $(BIN)/pip
	$(call INSTALL,--editable '.[dev]')
	@touch $(VENV)/.ropewalk $(VENV)/.ropewalk-test $(VENV)/.ropewalk-dev

check: $(VENV)/.ropewalk-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

bench: $(VENV)/.ropewalk
	@exec $(BIN)/python benchmarks/run.py $(BENCH_ARGUMENTS)

changelog: $(VENV)/.ropewalk-dev
	@$(BIN)/towncrier build --draft --version next

docs-reference: $(VENV)/.ropewalk
	$(BIN)/python docs/generate_options.py

$(VENV)/.ropewalk: $(SOURCES) | $(BIN)/pip
	$(call INSTALL,$(EDITABLE) .)
	@touch $@

$(VENV)/.ropewalk-test: $(SOURCES) | $(BIN)/pip
	$(call INSTALL,$(EDITABLE) '.[test]')
	@touch $(VENV)/.ropewalk $@

$(VENV)/.ropewalk-dev: $(SOURCES) | $(BIN)/pip
	$(call INSTALL,$(EDITABLE) '.[dev]')
	@touch $(VENV)/.ropewalk $(VENV)/.ropewalk-test $@

# pip comes last into a new environment, so where it is, the environment is whole.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "Ropewalk needs Python 3.11 or later, and $(PYTHON) is not. PYTHON=python3.13 selects another." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
	exit 1; }
