# `make run` and `make test` need Python 3.11 and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Every version comes from requirements.lock; torch goes in first and alone, so that
# nothing that depends on it can pull another build.
LOCK := requirements.lock
TORCH := $(shell sed -n '/^torch==/p' $(LOCK))
INSTALL := pip install -q --disable-pip-version-check -c $(LOCK)

.PHONY: run test test-long lint docs bench speed wheel wheel-check lock clean

# make run ARGS="trainer.batch_size=4" overrides settings.
run: $(VENV)/.run
	$(BIN)/python run.py --config-name=burgers.yaml $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not long" tests

# What takes minutes, or repeats another test at more sizes, sides and moments.
test-long: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m long tests

# What `.pre-commit-config.yaml` lists; fails where a file had to be changed.
lint: $(VENV)/.dev
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

# The pages as a site, read at site/index.html; a warning fails. The notebook is run.
docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -q -E -d site/.doctrees docs site

# Every step of the migration against the control; fails if one is slower.
bench: $(VENV)/.dev
	$(BIN)/python -m bridge bench

# The newest commit against the one before: a few benchmarks of asv.
speed: $(VENV)/.dev
	$(BIN)/python -m benchmarks.asv.speed

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel --outdir dist

# The wheel, and all that it depends on, in an empty environment; used from elsewhere.
wheel-check: $(VENV)/.dev
	$(BIN)/python -m tests.wheel

# New versions within the ranges of pyproject.toml, torch's as it is.
lock:
	$(PYTHON) -m venv --clear .lock
	.lock/bin/pip install -q --disable-pip-version-check $(TORCH)
	.lock/bin/pip install -q --disable-pip-version-check '.[dev]'
	sed -n '/^#/p' $(LOCK) > .lock/new
	.lock/bin/pip freeze --exclude hyco-migration | sed 's/+cpu$$//' >> .lock/new
	mv .lock/new $(LOCK)

clean:
	rm -rf .asv $(VENV) data cache checkpoints runs site

$(VENV)/.run: pyproject.toml $(LOCK)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/$(INSTALL) $(TORCH)
	$(BIN)/$(INSTALL) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/$(INSTALL) -e '.[dev]'
	touch $@
