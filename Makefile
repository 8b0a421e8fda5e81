# Everything a user or maintainer types. `make run` and `make test` need nothing but Python 3.11+.
# The environment stands beside this file whatever the path, spaces included.

PYTHON ?= python3
MODE ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup run test lint types e2e smoke bench bench-detection docs docs-check check fmt golden clean lock

setup: $(STAMP) ## make .venv with everything

$(STAMP): pyproject.toml requirements.lock scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh

run: setup ## run the gateway in the foreground (MODE=observe|action)
	@exec $(BIN)/defenseclaw-gateway run $(if $(MODE),--mode $(MODE),)

test: setup ## unit and integration tests
	@$(BIN)/python -m pytest -m "not e2e"

nightly: setup ## a million generated cases of detection, new ones every night (CASES=n for another number)
	@DEFENSECLAW_CASES=$(or $(CASES),1000000) $(BIN)/python -m pytest \
	  tests/detection/metamorphic tests/detection/test_linear_work.py tests/detection/linear_time.py

lint: setup ## ruff, import contracts, spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/codespell

types: setup ## mypy, strict
	@$(BIN)/mypy

e2e: setup ## the real agents, headless, against a fake model on loopback
	@$(BIN)/python -m pytest -m e2e tests/e2e --matrix=docs/connectors/matrix.md

smoke: setup ## the part of e2e that CI runs: a turn of each agent, all of Claude Code and OmniGent
	@$(BIN)/python -m pytest -m smoke tests/e2e

bench: setup ## the performance budgets, as ratios taken in one run
	@$(BIN)/python -m bench

bench-detection: setup ## recall and false alarms on ../shared/corpora, written to docs/detection.md
	@$(BIN)/python -m bench.detection --site-packages --write docs/detection.md

docs: setup ## write the generated references
	@$(BIN)/python -m docs.generate

docs-check: setup ## fail when a generated reference is not current
	@$(BIN)/python -m docs.generate --check

fmt: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

golden: setup ## rewrite the golden files; read the diff
	@$(BIN)/python -m pytest -m "not e2e" tests/connectors --rewrite-golden
	@git diff --stat tests/golden

check: lint types docs-check test ## all that CI runs before the agents

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .e2e dist

lock: ## renew requirements.lock (versions and hashes, nothing else)
	@uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --upgrade --output-file requirements.lock
