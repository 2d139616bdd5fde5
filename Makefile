# `make run` starts Sightline on this machine, `make test` tests it. Both need Python 3.11 to 3.13.
# Variables: PORT=8000  SIGHTLINE_DATA_DIR=media  PYTHON=python3.12  (docs/operating.md has them all)

SHELL := /bin/sh
BIN := .venv/bin
MAKEFLAGS += --no-print-directory
# With it, every start would compile every module anew: three times as slow.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test browser-test fuzz bench check messages secrets lock installed-run installed-test installed-check

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile

run: installed-run ## start everything on this machine, Ctrl-C stops it
	@exec $(BIN)/python manage.py run

test: installed-test ## run the tests; on PostgreSQL and Redis where DATABASE_URL and REDIS_URL say so
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not browser"

browser-test: installed-test ## run the tests that need chromium and chromedriver
	$(BIN)/python -m pytest -m browser

fuzz: installed-test ## thousands of generated calls against the API of a whole installation
	$(BIN)/python -m scripts.fuzz_api

bench: installed-run ## measure how fast images become classes, beside other servers; BENCH=--quick
	@benchmarks/bootstrap
	@.venv-bench/bin/python -m benchmarks.serving $(BENCH)

check: installed-check ## style, types, templates, layers, migrations, deployment, known holes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/djlint --check --lint --quiet templates
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	scripts/check-deployment
	scripts/check-known-holes

secrets: ## make the secret files that docker-compose.yml reads
	@scripts/make-secrets

messages: installed-run ## collect the texts into locale/ and compile them; needs gettext
	$(BIN)/python manage.py makemessages -l zh_Hans --no-location --no-wrap \
		--ignore .venv --ignore .venv-bench --ignore tests --ignore benchmarks --ignore scripts
	$(BIN)/python manage.py compilemessages -l zh_Hans --ignore .venv --ignore .venv-bench

lock: installed-check ## pin the newest versions that requirements/*.in allow
	scripts/lock

installed-run installed-test installed-check:
	@scripts/bootstrap $(@:installed-%=%)
