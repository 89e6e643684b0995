# Verbs for people and for CI. Needs make and a Python of 3.11 or newer, nothing else; runs the same
# as root and as an ordinary user. Everything it makes lies in .venv, .cache and .cdp.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
BENCH_ARGS ?=
TEST_ARGS ?=

# The first Python on the path that is new enough; PYTHON=… overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.PHONY: help demo test lint format schema messages bench bench-cdnow bench-graphql bench-ingest bench-identify bench-match bench-walls bench-extranet provision clean

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

demo: $(VENV)/.installed  ## start everything with demo data, until Ctrl-C (DEMO_ARGS="…")
	@exec $(BIN)/cdp demo $(DEMO_ARGS)

test: $(VENV)/.installed-test provision  ## run every test against a real PostgreSQL and a real browser
	$(BIN)/pytest -n 2 tests $(TEST_ARGS)

lint: $(VENV)/.installed-test  ## style, types, the one-way rule between rooms, advisory floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.tooling.floors

format: $(VENV)/.installed-test  ## let ruff lay out the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

schema: $(VENV)/.installed  ## print the GraphQL schema; fails when schema.graphql differs from it or isn't committed
	@$(BIN)/cdp schema --write schema.graphql
	@cat schema.graphql
	@test -z "$$(git status --porcelain -- schema.graphql)" || { echo 'schema.graphql: uncommitted difference' >&2; \
		git --no-pager diff --stat -- schema.graphql >&2; exit 1; }

messages: $(VENV)/.installed-test  ## bring the translations of pages and letters up to date with their texts
	@for package in extranet cdp; do \
		$(BIN)/pybabel --quiet extract -F $$package/locales/babel.cfg -k N_ --no-location --sort-output --width=120 \
			--project=customer-graph -o $(VENV)/$$package.pot $$package && \
		for language in es pl pt; do file=$$package/locales/$$language.po; \
			test -f $$file || $(BIN)/pybabel --quiet init -i $(VENV)/$$package.pot -l $$language -o $$file; \
			$(BIN)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=120 \
				-i $(VENV)/$$package.pot -l $$language -o $$file || exit 1; \
		done || exit 1; done

bench: bench-cdnow bench-graphql bench-ingest bench-identify bench-match bench-walls bench-extranet  ## every benchmark; each prints a table and, last, one JSON object

bench-cdnow: $(VENV)/.installed-test  ## replay the whole CDNOW file through the tracking API
	@$(BIN)/python -m bench.cdnow

bench-graphql: $(VENV)/.installed-test  ## compare GraphQL with its peers: PostGraphile, resolvers, hand-written SQL (BENCH_ARGS="…")
	@$(BIN)/python -m bench.graphql $(BENCH_ARGS)

bench-ingest: $(VENV)/.installed-test  ## the tracking API beside plain COPY, and growing to a million customers (BENCH_ARGS="…", --scale 0 without)
	@$(BIN)/python -m bench.ingest $(BENCH_ARGS)

bench-identify: $(VENV)/.installed-test  ## merge large customers while others read, and resolve five million claims anew (BENCH_ARGS="…")
	@$(BIN)/python -m bench.identify $(BENCH_ARGS)

bench-walls: $(VENV)/.installed-test  ## what row-level security costs the extranet's operations (BENCH_ARGS="…")
	@$(BIN)/python -m bench.walls $(BENCH_ARGS)

bench-match: $(VENV)/.installed-test  ## match a million records, and let Splink alone do so (BENCH_ARGS="--records 50000" to try)
	@$(BIN)/python -m bench.match $(BENCH_ARGS)

bench-extranet: $(VENV)/.installed-test provision  ## statement pages, files, PDF and pages in Chromium, under a ledger of 5,000 (BENCH_ARGS="…")
	@$(BIN)/python -m bench.extranet $(BENCH_ARGS)

provision: $(VENV)/.installed-test  ## a browser and Node for the tests, into .cache
	@$(BIN)/python -m tests.tooling.provision

clean:  ## remove what make made, the demo's data included
	rm -rf $(VENV) .cache .cdp build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ------------------------------------------------------------------------------------ installation

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo 'No Python 3.11 or newer on the path; install one or say PYTHON=/path/to/python.' >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'Python could not make a virtual environment (on Debian: apt install python3-venv).' >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo 'Installing'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	@echo 'Installing what the tests need'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@
