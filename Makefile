# The commands of the README and of CI. Each does its own set-up (scripts/setup).

MODE ?= overlay
ENGINE ?= calico
REPORTS ?= reports
JOBS ?= 4
WORKERS ?= 2
VENV := .venv
export VENV

.PHONY: conformance test test-thorough check format setup clean

conformance: setup  ## the suites against the embedded lab, with a report in $(REPORTS)/
	$(VENV)/bin/pytest suites/ --aksnet-lab=$(MODE):$(ENGINE) --aksnet-lab-arm --aksnet-report-dir=$(REPORTS) -n $(WORKERS)

test: setup  ## the tests of the plugin and of the lab
	$(VENV)/bin/pytest tests/ -n $(JOBS) --dist worksteal -m "not thorough"

test-thorough: setup  ## the rest of them: every fault in every mode
	$(VENV)/bin/pytest tests/ -n $(JOBS) --dist worksteal -m thorough

check: setup  ## format, lint, types, import directions
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

setup:
	@scripts/setup

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
