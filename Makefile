# Every command of the project; CI and CodeBuild call nothing else.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

# scripts/terraform_mirror.py finds Terraform's provider; this machine's own settings are ignored.
unexport TF_CLI_CONFIG_FILE
# Without bytecode, each process of the tests and of the demo would compile all its libraries.
unexport PYTHONDONTWRITEBYTECODE

TASK ?=
VENV := .venv
PYTHON := $(VENV)/bin/python

# The names that TASK may have. A target that builds zips refuses those without one.
TASKS := $(sort $(patsubst tasks/%/__init__.py,%,$(wildcard tasks/*/__init__.py)))
# All other targets ignore TASK, which CodeBuild sets for a whole build.
NARROWED := build dist format lint lint-report package-hash package-key test test-long test-report upload
ifneq ($(strip $(TASK)),)
# In brackets, because `filter` splits its text at spaces.
ifeq ($(filter $(TASKS:%=[%]),[$(TASK)]),)
$(error TASK is "$(TASK)" and should be one of: $(TASKS))
endif
$(foreach goal,$(filter-out $(NARROWED) clean help .%,$(MAKECMDGOALS)),$(warning TASK=$(TASK) has no effect on make $(goal): it works on the whole project))
endif

# A misspelt variable would have no effect, so only known ones are allowed after `make`; the environment may hold others.
VARIABLES := BUILD CHAOS_SEED CHROMIUM CI ENVIRONMENT FILE KEEP NAME PACKAGE_BUCKET PACKAGE_KMS_KEY_ID PACKAGE_PREFIX TASK \
	TERRAFORM_RELEASES_URL TF_PLUGIN_DIR UPGRADE WORKERS
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(VARIABLES),$(GIVEN))
$(if $(UNKNOWN),$(error make knows no variable $(UNKNOWN) here; it knows: $(VARIABLES)))

# A file in the place of a folder stops every target but clean, which removes it.
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),help)),)
$(foreach folder,$(VENV) build dist reports,$(if $(wildcard $(folder)),$(if $(wildcard $(folder)/.),,\
	$(error $(folder) is a file and should be a folder: move it away, or run make clean, which deletes it))))
endif

# `make terraform` installs Terraform there, if this machine has none of the pinned version.
TERRAFORM := $(VENV)/terraform
export PATH := $(CURDIR)/$(TERRAFORM):$(PATH)

# pip installs only files whose hashes are in the lock file. Bytecode of all modules would take a third of its time;
# Python writes that of the modules it imports.
PIP_INSTALL := -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes
INSTALL := $(PYTHON) $(PIP_INSTALL)
# Lock files have the hashes for every platform. Versions change only with UPGRADE=1.
UV_COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# Installed on first use, and after each change of the pins. The demo needs a quarter of what the tests and linters need.
DEMO := $(VENV)/.demo-installed
OPS := $(VENV)/.ops-installed
DEV := $(VENV)/.dev-installed
CHECKOV := $(VENV)/checkov/.installed

ifneq ($(strip $(TASK)),)
LINTED := tasks/$(TASK) $(wildcard tasks/$(TASK)/plugin)
LINTED_TESTS := tests/$(TASK)
PYTEST_ARGS := tests/$(TASK)
else
LINTED := $(wildcard tasks tasks/otf_addons/plugin ops local scripts bench)
LINTED_TESTS := tests
PYTEST_ARGS := --cov --cov-report=term-missing:skip-covered
endif

# One more than the number of cores, because some tests mostly wait. More would cost time: each worker loads all tests.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(1 + os.cpu_count())")
PYTEST = $(PYTHON) -m pytest --numprocesses=$(WORKERS) --dist=worksteal
RUFF := $(PYTHON) -m ruff
MYPY := $(PYTHON) -m mypy
# A single message in so much code rounds to 10.00, so every message fails.
PYLINT := $(PYTHON) -m pylint --jobs=2 --fail-under=10 --fail-on=F,E,W,R,C
# The name of a test replaces its docstring.
NO_DOCSTRINGS := --disable=missing-module-docstring,missing-class-docstring,missing-function-docstring
RUN_CHECKOV := $(VENV)/checkov/bin/python -m checkov.main --directory terraform --framework terraform \
	--compact --quiet --skip-download

.PHONY: help demo brigade check test test-long lint validate terraform build dist otf-wheel clerk-wheel lock upload package-hash \
	package-key lint-report test-report bench chaos screenshots format clean new-task .all-packages .build-setup \
	.lint-setup .test-setup .validate-setup

help: ## Print this list
	@echo 'make TARGET [TASK=archive_copy]   TASK narrows build, dist, format, lint, test and upload to one task'
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-17s %s\n", $$1, $$2 }' Makefile

demo: .build-setup $(DEMO) ## Show all three tasks at work on this machine (KEEP=1 keeps it running, BUILD=1 shows a build)
	@$(PYTHON) -m scripts.package dist
	@exec $(PYTHON) -m local.demo

brigade: $(OPS) ## Install the command brigade in .venv, which shows and checks a deployment
	@$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check --editable .
	@echo 'Run $(VENV)/bin/brigade --help'

# The check needs the standard library alone.
check: $(PYTHON) ## Check the files in FILE as upload_validate does, without an AWS account
	@$(if $(strip $(FILE)),$(PYTHON) -m tasks.upload_validate $(FILE),echo \
		'error: FILE names no file: make check FILE=stations.csv' >&2; exit 2)

test: $(PYTHON) ## Run the tests; without TASK also check the coverage of tasks/
	@$(MAKE) --no-print-directory --jobs=2 .test-setup .all-packages
	@$(PYTEST) $(PYTEST_ARGS)

# No long test belongs to a single task.
test-long: .test-setup ## Run the long tests: deployments, simulated days, a crash at every step
ifneq ($(strip $(TASK)),)
	@echo 'The long tests cover all tasks together: run make test-long without TASK'
else
	@$(PYTHON) -m scripts.package dist
	@$(PYTEST) -m long
endif

lint: .lint-setup ## Check the code with ruff, mypy and pylint, the Terraform with fmt and checkov
	@$(RUFF) format --quiet --check $(LINTED) $(LINTED_TESTS)
	@$(RUFF) check --quiet $(LINTED) $(LINTED_TESTS)
	@$(MYPY) $(filter-out %/plugin,$(LINTED))
	@$(PYLINT) $(LINTED)
	@$(PYLINT) $(NO_DOCSTRINGS) $(LINTED_TESTS)
	@$(PYTHON) -m scripts.terraform fmt
	@$(RUN_CHECKOV)

validate: .validate-setup ## Run terraform init, validate and test, without an AWS account
	@$(PYTHON) -m scripts.terraform validate

terraform: .build-setup ## Install the pinned Terraform in .venv, unless this machine has that version
	@$(PYTHON) -m scripts.terraform_install $(TERRAFORM)

build: .build-setup ## Build each task's package in build/
	@$(PYTHON) -m scripts.package build $(TASK)

dist: .build-setup ## Build each task's zip in dist/
	@$(PYTHON) -m scripts.package dist $(TASK)

otf-wheel: $(DEV) ## Build the wheel of the add-on for Open Task Framework in dist/
	@$(PYTHON) -m scripts.otf_wheel

clerk-wheel: $(DEV) ## Build the wheel of ObjectClerk in dist/
	@$(PYTHON) -m scripts.clerk_wheel

# Some shells set NAME to the name of the machine.
new-task: export NAME := $(if $(findstring command line,$(origin NAME)),$(NAME))
new-task: $(DEV) ## Write a new task that works, with its Terraform, tests and demo (NAME=object_count)
	@$(PYTHON) -m scripts.new_task "$$NAME"

lock: $(DEV) ## Pin the packages of requirements*.in, with hashes, in requirements*.txt (UPGRADE=1 updates them)
	@$(UV_COMPILE) requirements.in --output-file requirements.txt
	@$(UV_COMPILE) requirements-dev.in --output-file requirements-dev.txt
	@$(UV_COMPILE) --constraints requirements-dev.txt requirements-demo.in --output-file requirements-demo.txt
	@$(UV_COMPILE) --constraints requirements-dev.txt requirements-ops.in --output-file requirements-ops.txt
	@$(UV_COMPILE) requirements-checkov.in --output-file requirements-checkov.txt
	@$(UV_COMPILE) --no-deps requirements-bench.in --output-file requirements-bench.txt

upload: $(DEV) ## Upload dist/ to PACKAGE_BUCKET with the label ENVIRONMENT; do nothing without both
	@$(PYTHON) -m scripts.upload $(TASK)

# Beside the installation of the tests' packages, each on its own core.
.all-packages: .build-setup
	@$(PYTHON) -m scripts.package dist

package-hash: .build-setup ## Print the hash of the packages in dist/
	@$(PYTHON) -m scripts.package hash $(TASK)

package-key: .build-setup ## Print the S3 key of the upload of dist/
	@$(PYTHON) -m scripts.package key $(TASK)

lint-report: .lint-setup ## Run lint without fmt, with JUnit XML in reports/
	@mkdir -p build reports
	@status=0; \
	$(RUFF) check --output-format junit --output-file reports/ruff.xml $(LINTED) $(LINTED_TESTS) || status=1; \
	$(MYPY) --junit-xml reports/mypy.xml $(filter-out %/plugin,$(LINTED)) || status=1; \
	$(PYLINT) --output-format=json2:build/pylint.json,text $(LINTED) || status=1; \
	$(PYLINT) --output-format=json2:build/pylint-tests.json,text $(NO_DOCSTRINGS) $(LINTED_TESTS) || status=1; \
	$(PYTHON) -m scripts.pylint_junit reports/pylint.xml build/pylint.json build/pylint-tests.json; \
	$(RUN_CHECKOV) --output cli --output junitxml --output-file-path console,reports/checkov.xml || status=1; \
	exit $$status

test-report: PYTEST_ARGS += --junitxml=reports/tests.xml
test-report: test ## Run test, with JUnit XML in reports/

bench: .build-setup $(DEV) ## Measure the project beside its peers
	@$(PYTHON) -m scripts.package dist
	@exec $(PYTHON) -m bench

screenshots: .build-setup $(DEV) ## Make the pictures in docs/images; needs headless Chromium (CHROMIUM=... names it)
	@$(PYTHON) -m scripts.package dist
	@$(PYTHON) -m local.screenshots
	@$(PYTHON) -m local.demo --record docs/images/demo.svg
	@$(PYTHON) -m local.dashboard docs/images/dashboard.svg

chaos: export CHAOS_SEED := $(or $(CHAOS_SEED),$(shell date +%s))
chaos: .test-setup ## Run the long randomised tests, and check the need for each patch (CHAOS_SEED=... repeats a run)
	@$(PYTHON) -m scripts.package dist
	@echo 'CHAOS_SEED=$(CHAOS_SEED)'
	@$(PYTEST) -m chaos --hypothesis-seed=$(CHAOS_SEED)

format: $(DEV) ## Format the code with ruff
	@$(RUFF) check --fix --exit-zero $(LINTED) $(LINTED_TESTS)
	@$(RUFF) format $(LINTED) $(LINTED_TESTS)

clean: ## Remove everything that make has created, also .venv
	@rm -rf build dist reports $(VENV) *.egg-info .coverage .coverage.* .hypothesis .pytest_cache
	@find $(wildcard tasks ops tests local scripts bench) -name __pycache__ -type d -prune -exec rm -rf {} +

.build-setup: $(PYTHON)

.lint-setup: $(DEV) $(CHECKOV)

.test-setup: $(DEV)

.validate-setup: $(PYTHON)

$(PYTHON):
	@for python in python3 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)" >&2; \
			$$python -m venv $(VENV) || { rm -rf $(VENV); \
				echo "error: $$python cannot create a virtual environment; on Debian and Ubuntu install python3-venv" >&2; \
				exit 1; }; \
			exit 0; \
		fi; \
	done; \
	echo 'error: Python 3.11 or newer is required, and is not on the PATH' >&2; \
	exit 1

# Without build isolation, because pip would install the build requirements of a source archive without hashes.
$(DEMO) $(OPS) $(DEV): $(VENV)/.%-installed: requirements-%.txt | $(PYTHON)
	@echo 'Installing $< into $(VENV), up to a minute' >&2
	@$(PYTHON) -m scripts.pins $< setuptools | $(INSTALL) --requirement /dev/stdin
	@$(INSTALL) --no-build-isolation --requirement $<
	@touch $@

$(CHECKOV): requirements-checkov.txt | $(PYTHON)
	@echo 'Installing requirements-checkov.txt into $(VENV)/checkov, about a minute' >&2
	@$(PYTHON) -m venv $(VENV)/checkov
	@$(VENV)/checkov/bin/python $(PIP_INSTALL) --only-binary=:all: --requirement requirements-checkov.txt
	@touch $@
