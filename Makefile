# One command each; every target makes its own environment in .venv and says what it installs.

VENV := .venv/bin
ARGS ?=
QUICK ?=
SECONDS ?= 600
unexport PYTHONDONTWRITEBYTECODE  # else each Python that a test starts compiles the sources again

.DEFAULT_GOAL := help
.PHONY: help demo test drivers fuzz check bench chaos soak classification corpora lock servers environment clean format docs

help:            ## Show this list
	@sed -n 's/^\([a-z]*\): *[a-z]* *## /\1	/p; s/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | sort -u | expand -t 14

demo: environment  ## Walk the demo's story against a real PostgreSQL server
	@$(VENV)/python -m blastwall.testing.setup demo
	@$(VENV)/blastwall demo --script
	@echo
	@echo "To keep it up and try it yourself: $(VENV)/blastwall demo"

test: servers  ## Run the tests; ARGS="…" is passed on to pytest
	@$(VENV)/python -m pytest --numprocesses=2 --dist=worksteal $(ARGS)

check: environment  ## Format, lint, types, architecture, docs
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python tools/check_docs.py
	$(VENV)/python tools/check_twins.py

drivers: environment  ## Run the drivers' own test suites, directly and through the gateway
	@$(VENV)/python -m blastwall.testing.setup drivers
	@BLASTWALL_SUITES=all $(VENV)/python -m pytest tests/drivers $(ARGS)

fuzz: environment  ## Fuzz every decoder for SECONDS (60); findings are written to .fuzz
	@nice -n 19 $(VENV)/python tools/fuzz.py $(or $(SECONDS),60) $(ARGS)

bench: environment  ## Compare direct, PgBouncer and Blastwall; QUICK=1 takes under a minute
	@$(VENV)/python -m blastwall.testing.setup bench
	@$(VENV)/python -m bench $(if $(QUICK),--quick) $(ARGS)

classification: environment  ## Compare the classifier with a real PostgreSQL on its regression scripts; write the docs' figures
	@$(VENV)/python -m blastwall.testing.setup classification
	@$(VENV)/python -m tests.classification $(ARGS)

corpora: environment  ## Fetch public T-SQL and say which share of it the parser refuses; ARGS="--refusals NAME …"
	@$(VENV)/python -m tests.corpora $(ARGS)

chaos: servers  ## Break what the gateway needs, and the gateway, under load; ARGS="--kills 40 --only disk …"
	@$(VENV)/python -m tests.chaos $(ARGS)

soak: servers  ## Mixed load for ten minutes, or SECONDS=…; memory and open files must stay flat
	@$(VENV)/python -m tests.chaos --soak $(SECONDS)

format: environment  ## Format the code and mend what the linter can mend
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

docs: environment  ## Generate the generated parts of the documentation
	$(VENV)/python tools/check_docs.py --write
	$(VENV)/python tools/check_twins.py --write

lock: environment  ## Resolve the dependencies anew into requirements/*.txt
	tools/lock

servers: environment  ## Install the servers and clients that the tests run against, into .servers
	@$(VENV)/python -m blastwall.testing.setup tests

environment:     ## Make .venv with the locked dependencies
	@tools/environment

clean:           ## Remove what the targets made
	rm -rf .venv .servers state-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
