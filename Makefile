# Each target does all its own set-up. `make` alone lists them.
BIN := .venv/bin
SETUP := @E2E_ML_SETUP=quiet packaging/setup.sh

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench setup lock format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## install what is missing, then open the demo (without a display: the guided tour into build/tour)
	$(SETUP)
	@$(BIN)/e2e-ml demo --workspace build/demo --out build/tour

test: ## run the whole suite: unit, integration, desktop, e2e
	$(SETUP) tests
	$(BIN)/pytest -n 2 --no-loadscope-reorder

lint: ## ruff, pyright and the floors of the architecture
	$(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: ## run the benchmarks; nothing else measures time
	$(SETUP) tests
	$(BIN)/python -m tests.benchmarks

setup: ## system libraries, uv and the locked environment
	@packaging/setup.sh

lock: ## pin every dependency again, with hashes
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o packaging/requirements.lock
	uv pip compile packaging/feast.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o packaging/feast.lock

format: ## let ruff format and mend what it can
	$(SETUP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and everything built
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
