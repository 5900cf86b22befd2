# Everything works on a fresh machine: each goal sets up .venv by itself, with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin

# Makes the environment $(1) unless it is there. A Python that is too old leaves none behind, nor one that stopped before it had pip.
environment = @test -x $(1)/bin/pip || { $(PYTHON) -c '$(NEW_ENOUGH)' && $(PYTHON) -m venv $(1); }
NEW_ENOUGH := import sys; sys.version_info >= (3, 11) or sys.exit("oddlens needs Python 3.11 or newer, and $(PYTHON) is %d.%d: \
name another one, as in make PYTHON=python3.12" % sys.version_info[:2])

# The tests start dozens of programs: what Python compiles for one of them, the next one finds.
unexport PYTHONDONTWRITEBYTECODE
IN_PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: demo docs fuzz test test-wheel test-light lint types release-check clean

demo: .venv/core
	$(BIN)/oddlens demo --out build/oddlens-demo.html

# One process for each processor, with one thread each; a file's tests stay together, as they share what is costly to make, and files
# are taken in their order: the last ones are short, so that no process waits long for another.
test: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(IN_PARALLEL)

# Hostile inputs by the thousand, see docs/about/robustness.md. FUZZ: options, such as FUZZ="--count 100 --kinds images".
fuzz: .venv/test
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz $(FUZZ)

# What users install: the built wheel in an environment of its own, without src/. It shows that the wheel is whole, and that several
# threads give what one gives: each process has as many as there are processors. Left out is what shows neither: lab/, examples/ and
# docs/ are not in the wheel, hostile inputs compute with one thread anywhere, and a property takes few examples here, as it had many
# before.
test-wheel: build/wheel
	rm -rf build/wheel-env
	$(call environment,build/wheel-env)
	build/wheel-env/bin/pip install --quiet --constraint constraints.txt "$$(echo build/wheel/*.whl)[test]"
	build/wheel-env/bin/python -c '$(IS_THE_WHEEL)'
	build/wheel-env/bin/python -m pytest $(IN_PARALLEL) --hypothesis-profile again $(NOT_OF_THE_WHEEL)

NOT_OF_THE_WHEEL := $(addprefix --ignore=tests/,fuzz lab examples docs)

# The wheel without PyTorch, with the service, all in one process: no test depends on what ran before it. Fewer of the test files than
# LEAST_FILES that run there are a failure.
LEAST_FILES := 0.5
test-light: build/wheel
	rm -rf build/light-env
	$(call environment,build/light-env)
	build/light-env/bin/pip install --quiet --constraint constraints.txt "$$(echo build/wheel/*.whl)[serve]" pytest hypothesis
	build/light-env/bin/python -c '$(IS_THE_WHEEL); import importlib.util; assert importlib.util.find_spec("torch") is None'
	OMP_NUM_THREADS=1 build/light-env/bin/python -m pytest --least-files $(LEAST_FILES)

IS_THE_WHEEL := import oddlens, sys; assert oddlens.__file__.startswith(sys.prefix), oddlens.__file__

.PHONY: build/wheel
build/wheel: .venv/core
	rm -rf build/wheel
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir build/wheel .

# The site of the documents: build/docs/index.html. A warning, such as a link to nowhere, is an error.
docs: .venv/docs
	$(BIN)/python -m scripts.docs

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

# All that a release must pass, and its packages, SBOM and licences, into build/release. RELEASE: options, such as
# RELEASE="--python 3.12 --extra base serve".
release-check:
	$(call environment,build/release-tools)
	build/release-tools/bin/pip install --quiet --constraint constraints.txt --editable '.[release]'
	build/release-tools/bin/python scripts/release_check.py $(RELEASE)

clean:
	rm -rf .venv build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The extra dependencies come on top of what is there, so that one environment serves all goals.
.venv/core: pyproject.toml constraints.txt
	$(call environment,.venv)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/test .venv/docs .venv/dev: .venv/core
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(notdir $@)]'
	touch $@
