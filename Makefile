# python3, or the first other Python on PATH that MXNet runs on.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10 python3.9 python3.8; do \
	$$p centerloss_mx/_compat.py >/dev/null 2>&1 && { echo $$p; exit; }; done; echo python3)

# One sentence saying why $(PYTHON) cannot be used, or nothing.
PROBLEM = $(shell sentence=$$($(PYTHON) centerloss_mx/_compat.py 2>/dev/null) || \
	echo "$${sentence:-$(PYTHON) does not run: name a Python that does, as in make test PYTHON=python3.11}")
stop = $(if $1,$(error $1))

FORMULAS = $(addprefix tests/,operator symbol test_gluon.py test_optimizer.py test_metric.py)

# The documentation is built by a Python that both Sphinx (3.11 or newer) and MXNet run on.
DOCS_PYTHON ?= $(shell for p in $(PYTHON) python3.11 python3.12; do \
	$$p centerloss_mx/_compat.py >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && { echo $$p; exit; }; done)
DOCS_PROBLEM = $(if $(DOCS_PYTHON),,make docs needs Python 3.11 or 3.12 on PATH and found neither: \
	install one, or name one, as in make docs DOCS_PYTHON=/opt/python3.11/bin/python3)

.PHONY: help mnist quick test test-all test-versions sanitize mutants lint docs bench clean

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

mnist: .venv/ready  ## train on MNIST with center loss (options: ARGS="--num-epochs 5")
	.venv/bin/python examples/train_mnist.py $(ARGS)

quick: .venv/ready  ## the fast tests of the formulas
	.venv/bin/python -m pytest -q -m 'not slow' $(FORMULAS)

test: .venv/ready  ## the fast tests
	.venv/bin/python -m pytest -n auto -m 'not slow'

test-all: .venv/ready  ## all tests
	.venv/bin/python -m pytest -n auto

test-versions:  ## the fast tests on every Python and NumPy that MXNet runs on
	.ci/test-versions

sanitize: .venv/ready  ## the tests of the compiled kernel under Address-, UndefinedBehavior- and ThreadSanitizer
	.ci/sanitize

mutants: .venv/mutants  ## break the code on purpose and count what the tests notice (ARGS="--number 50"; Python 3.9 or newer)
	.venv/bin/python .ci/mutants.py $(ARGS)

lint: .venv/lint  ## style, format and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

docs: .venv-docs/ready  ## the documentation in build/docs, without a network once .venv-docs is made
	.venv-docs/bin/sphinx-build -W --keep-going --quiet -b html docs build/docs
	@echo 'Open build/docs/index.html'

bench: .venv/ready  ## time a step, an epoch, centers on the KVStore and evaluation; measure memory
	.venv/bin/python -m benchmarks.step
	.venv/bin/python -m benchmarks.epoch
	.venv/bin/python -m benchmarks.memory
	.venv/bin/python -m benchmarks.kvstore
	.venv/bin/python -m benchmarks.evaluation

clean:  ## remove environments, builds and caches
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps come last, so that a failed installation is tried again.
.venv/ready: .venv/packages $(wildcard centerloss_mx/operator/kernel*)
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/packages: setup.py requirements.txt centerloss_mx/_compat.py
	$(call stop,$(PROBLEM))
	@echo 'Making .venv with $(PYTHON); this takes a minute or two.'
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	@.venv/bin/python centerloss_mx/_compat.py packages
	@touch $@

.venv-docs/ready: setup.py centerloss_mx/_compat.py
	$(call stop,$(DOCS_PROBLEM))
	@echo 'Making .venv-docs with $(DOCS_PYTHON); this takes a minute or two.'
	@$(DOCS_PYTHON) -m venv --clear .venv-docs
	@.venv-docs/bin/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

.venv/mutants: .venv/ready
	@.venv/bin/pip install --quiet --disable-pip-version-check -e '.[mutants]'
	@touch $@

.venv/lint: .venv/ready
	@.venv/bin/pip install --quiet --disable-pip-version-check -e '.[lint]'
	@touch $@
