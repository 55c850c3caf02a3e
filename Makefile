# Two commands on a fresh machine: `make run`, `make test`. The rest is what they are made of.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# Live tests wait more than they compute. One file stays on one worker: its live tests share one service.
WORKERS ?= 5
PYTEST ?= $(BIN)/pytest -q --dist loadfile --no-loadscope-reorder
TESTS ?=

.PHONY: help run setup setup-check setup-test check lint unit test bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: setup ## set up and run the service with the demo data on 127.0.0.1 (Ctrl-C stops it; data stays in ./data)
	@exec $(BIN)/denwa serve --demo

setup: ## make .venv from the lock file (installs Python's venv module when the machine lacks it)
	@scripts/setup.sh run

setup-check: ## the same with linters and test runner
	@scripts/setup.sh check

setup-test: ## the same with the real peers of the tests: SIPp, baresip, linphonec, PostgreSQL
	@scripts/setup.sh test

check: setup-check lint unit ## lint, types, import rules, unit tests: about two minutes

lint:
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@said=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }

unit:
	@$(PYTEST) -p no:cacheprovider -n $(WORKERS) -m "not live and not postgresql and not slow"

test: setup-test lint ## every test, also those with real phones, gateways, mail servers and PostgreSQL
	@if [ -n "$(TESTS)" ]; then $(PYTEST) -n $(WORKERS) $(TESTS); else WORKERS=$(WORKERS) scripts/test.sh; fi

bench: setup-test ## measure against Kamailio on this machine
	@exec bench/run

lock: ## pin every dependency again, with hashes
	@scripts/lock.sh

clean: ## remove what setup and tests made (not ./data)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
