# Two commands do all the set-up: `make run` shows traceview at work, `make test` checks everything.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
JOBS   ?= 2

.PHONY: run test faults bench screenshots lint clean

run: $(READY)
	@$(BIN)/python packaging/try_it.py

test: lint
	@QT_QPA_PLATFORM=offscreen $(BIN)/pytest -q -n $(JOBS) --dist loadfile --cov --cov-report=term --cov-fail-under=90 $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

bench: $(READY)
	@for bench in tests/bench/*.py; do echo "== $$bench"; QT_QPA_PLATFORM=offscreen $(BIN)/python $$bench || exit 1; done

faults: $(READY)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || true
	@$(BIN)/python tests/end_to_end/faults/harness.py --long $(ARGS)
	@$(BIN)/python tests/end_to_end/faults/powerloss.py --long
	@$(BIN)/python tests/end_to_end/faults/fuzzing.py

screenshots: $(READY)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python packaging/take_screenshots.py

$(READY): pyproject.toml packaging/system_packages.sh
	@sh packaging/system_packages.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[desktop,dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .coverage* .hypothesis
