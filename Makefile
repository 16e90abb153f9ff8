# `make run` and `make test` need Python 3.11 and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Every version comes from pyproject.toml; torch goes in first and alone, so that
# nothing that depends on it can pull another build.
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

.PHONY: run test lint docs bench speed clean

# make run ARGS="trainer.batch_size=4" overrides settings.
run: $(VENV)/.run
	$(BIN)/python run.py --config-name=burgers.yaml $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 tests

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

clean:
	rm -rf .asv $(VENV) data cache checkpoints runs site

$(VENV)/.run: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check $(TORCH)
	$(BIN)/pip install -q --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev,docs]'
	touch $@
