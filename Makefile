# What people call; the work is done by docker/stack (plain Python, no packages).
PYTHON ?= python3
STACK = cd docker && $(PYTHON) -m stack
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help demo tenant down clean ps logs test ci lint test-unit test-odoo \
	test-integration test-faults test-onboarding test-e2e pictures translations bench

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

demo: ## everything, from a bare machine to the tenant alfa, logged in
	@$(STACK) demo

tenant: ## one more tenant: make tenant NAME=beta [PLAN=Business]
	@$(STACK) tenant --name "$$NAME" --plan "$$PLAN"

down: ## stop everything, keep all data
	@$(STACK) down

clean: ## remove every container, volume, network and image of ours
	@$(STACK) clean

ps: ## what runs
	@$(STACK) ps

logs: ## what the stack says: make logs [SERVICE=worker]
	@$(STACK) logs --service "$$SERVICE"

test: ## lint, unit, Odoo, integration, end to end; the last line is the result
	@$(STACK) test

ci: ## what continuous integration runs: make test, the pictures and the fault run
	@$(STACK) test lint unit odoo integration onboarding e2e pictures faults

lint: ## ruff, mypy, pylint-odoo
	@$(STACK) test lint

test-unit: ## tests without Odoo and without Docker
	@$(STACK) test unit

test-odoo: ## the addons' own tests: make test-odoo [ADDON=saas]
	@$(STACK) test odoo --addon "$$ADDON"

test-integration: ## drivers against the real Docker, PostgreSQL and Traefik
	@$(STACK) test integration

test-faults: ## what must not go wrong when parts do, by number
	@export SAAS_ALL_STEPS=$${SAAS_ALL_STEPS-1}; $(STACK) test faults

test-onboarding: ## an operator's first hour, on a stack that has nothing yet
	@$(STACK) test onboarding

test-e2e: ## the whole stack, beside the demo's (SAAS_TEST_KEEP=1 keeps it)
	@$(STACK) test e2e

pictures: ## every page on a phone and on a desk, looked at by axe
	@$(STACK) test pictures

translations: ## bring the files of the addons' terms to the code
	@$(STACK) translations

bench: ## measure new tenants, copies, waking, a fleet: make bench [ONLY=tenant|backup|wake|fleet]
	@$(STACK) bench --only "$$ONLY"
