# Commands for working on the template. They need git, make and Python 3.11 or newer; `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
A ?=
B ?=
PYTEST_ARGS ?=
VERSION ?=

# A machine may have no home to write in; caches then live in build/.
ifneq ($(shell test -n "$(HOME)" && test -w "$(HOME)" && echo yes),yes)
export HOME := $(CURDIR)/build/home
endif

# uv works in this project's environment with this project's Python, whatever else is active or found on the machine.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
BIN := $(CURDIR)/.venv/bin
BASE_PYTHON = $(shell $(BIN)/python -c 'import sys; print(sys._base_executable)')
COOKIECUTTER := $(BIN)/python -m cookiecutter --no-input --default-config --overwrite-if-exists
TEMPLATE_FILES := $(shell find cookiecutter.json hooks templates '{{cookiecutter.project_slug}}' -type f \
	-not -path '*/__pycache__/*' | sed 's/[^A-Za-z0-9_.\/-]/?/g')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

.PHONY: setup
setup: .venv/.synced ## Make the environment in .venv

.venv/.synced: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@mkdir -p "$(HOME)"
	test -x $(BIN)/uv || { $(PYTHON) -m venv --clear .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --frozen --python $(BIN)/python
	@touch $@

.PHONY: test
test: setup ## Render every variant and prove it: PYTEST_ARGS="-k async" for some of it
	$(BIN)/python -m pytest --numprocesses auto $(PYTEST_ARGS)

# The committed uv.lock stays as it is. What projects depend on is always tested in its newest versions.
.PHONY: newest
newest: setup ## Run the tests with the newest versions of their tools too, whatever uv.lock says
	@rm -rf build/newest && mkdir -p build/newest && cp pyproject.toml uv.lock build/newest
	$(BIN)/uv lock --upgrade --project build/newest --python $(BIN)/python
	UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --frozen --project build/newest --python $(BIN)/python
	build/newest/.venv/bin/python -m pytest --numprocesses auto $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## Check this repository's own files
	$(BIN)/ruff check --config pyproject.toml .
	$(BIN)/ruff format --config pyproject.toml --check .

.PHONY: format
format: setup ## Mend what lint would complain of, where a tool can
	$(BIN)/ruff check --config pyproject.toml --fix .
	$(BIN)/ruff format --config pyproject.toml .

# The answers of the last demo, touched only when they change.
build/demo/.answers: FORCE
	@mkdir -p build/demo
	@printf '%s\n' '$(subst ','\'',$(A))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(A))' > $@

.PHONY: FORCE
FORCE:

build/demo/.project: build/demo/.answers $(TEMPLATE_FILES) | setup
	@find build/demo -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
	PATH="$(BIN):$$PATH" $(COOKIECUTTER) --output-dir build/demo . $(A)
	@find build/demo -mindepth 1 -maxdepth 1 -type d > $@

.PHONY: demo
demo: build/demo/.project ## Render a project and serve it: A="view_style=async nginx=no" for other answers
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2> /dev/null \
		|| { echo "Port $(PORT) is taken, or is no port. Use another: make demo PORT=$(if $(filter 8001,$(PORT)),8002,8001)" >&2; exit 1; }
	PATH="$(BIN):$$PATH" $(MAKE) -C "$$(cat build/demo/.project)" run PYTHON="$(BASE_PYTHON)" PORT="$(PORT)"

.PHONY: diff
diff: setup ## Show what answers change: A="nginx=yes" B="nginx=no"
	@rm -rf build/diff && mkdir -p build/diff
	@UV_OFFLINE=1 $(COOKIECUTTER) --output-dir build/diff/a . $(A) > /dev/null
	@UV_OFFLINE=1 $(COOKIECUTTER) --output-dir build/diff/b . $(B) > /dev/null
	@cd build/diff && git --no-pager diff --no-index --ignore-matching-lines='^SECRET_KEY=' a b || test $$? -eq 1

.PHONY: bench
bench: setup ## Measure a bake beside an empty template and a plain one: A="--peer PATH" for another one
	$(BIN)/python benchmarks/bake.py $(A)

.PHONY: newcomer
newcomer: setup ## Type the commands of the READMEs from cookiecutter to the first eval, and time them: A="--warm"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/newcomer.py $(A)

.PHONY: streams
streams: setup ## Measure what a stream costs, beside Starlette with the SDK, 25 minutes: A="--only paced --rounds 1" for less
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/streams.py $(A)

.PHONY: markdown
markdown: setup ## Measure what rendering answers as they arrive adds to the CPU of streams: A="--size 10"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/markdown.py $(A)

.PHONY: page
page: setup ## Measure the page in Chromium: to the first token, and while a long answer comes: A="--size 10"
	@PYTHONPATH=tests:tests/support:tests/page $(BIN)/python benchmarks/page.py $(A)

.PHONY: soak
soak: setup ## Half an hour of mixed traffic, in which nothing may grow or get lost: A="--minutes 8 --warm-up 2"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/soak.py $(A)

.PHONY: disasters
disasters: setup ## Kill a worker and PostgreSQL under load, and look for lost answers: A="--view-style async"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/disasters.py $(A)

.PHONY: chaos
chaos: setup ## Kill workers at random while users ask, and compare the ledger with what the API saw: A="--minutes 1"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/chaos.py $(A)

.PHONY: overhead
overhead: setup ## Measure what the ledger and the budgets add to a call: A="--view-style async --rounds 100"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/overhead.py $(A)

.PHONY: pictures
pictures: setup ## Take the pictures in the README again (needs Chromium)
	PYTHONPATH=tests:tests/support:tests/page $(BIN)/python docs/pictures.py

.PHONY: updates
updates: setup ## Update projects of each released version to the last commit, half an hour: A="--quick"
	@PYTHONPATH=tests:tests/support $(BIN)/python benchmarks/updates.py $(A)

.PHONY: release
release: setup ## Move what is unreleased in CHANGELOG.md to a version, commit and tag: VERSION=0.4.0
	@PYTHONPATH=tests/support $(BIN)/python release.py $(VERSION)

.PHONY: faults
faults: setup ## Have every failure happen to every variant, and print what the user read
	@PYTHONPATH=tests:tests/support $(BIN)/python -m faults build/faults

.PHONY: models
models: setup ## Have each offered model think, decline and fall back, and print what was read, logged and paid
	@PYTHONPATH=tests:tests/support $(BIN)/python -m faults.models build/models $(A)

.PHONY: mutants
mutants: setup ## Break claude/failures.py in every small way, and count who notices
	@PYTHONPATH=tests:tests/support $(BIN)/python -m faults.mutate build/faults

.PHONY: coverage
coverage: setup ## List the rendered lines that no project's own tests run: nine projects, 10 minutes
	@PYTHONPATH=tests:tests/support $(BIN)/python -m unrun_lines

.PHONY: clean
clean: ## Remove the environment and all that was built
	rm -rf .venv build
