# make demo: everything from nothing to the main table and the claims.   make test: what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export HF_HUB_DISABLE_TELEMETRY = 1
export DVC_NO_ANALYTICS = 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test bench chaos scale slurm check reference report publish

$(BIN)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "radpipe needs Python >= 3.10; try: make PYTHON=python3.12 $(MAKECMDGOALS)" or 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	if command -v uv > /dev/null 2>&1; then \
	  UV_FIND_LINKS="$${PIP_FIND_LINKS:-}" uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'; fi
	touch $@

# cached results where the DVC remote has them, computed where it has not; every image of the main
# table sampled again from the networks, and the numbers held to the table
demo: $(BIN)/.installed
	$(BIN)/radpipe pull
	$(BIN)/snakemake --cores $(CORES) --quiet rules -- demo
	$(BIN)/radpipe verify --cores $(CORES)
	@$(BIN)/radpipe show results/tables/main.csv results/tables/claims.md results/figures/qualitative.png

# a process per core, each of which computes with one thread
test: $(BIN)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

# training and sampling against the plain path, and the cost of the spatial embedding
bench: $(BIN)/.installed
	$(BIN)/radpipe bench

# killed 20 times under Snakemake and 20 times under DVC: the same results (an hour on two cores)
chaos: $(BIN)/.installed
	$(BIN)/python tests/chaos/run.py --save docs/chaos.csv

# the stages at 0.1 % and 1 % of ImageNet's counts
scale: $(BIN)/.installed
	$(BIN)/python tests/scale/run.py --save docs/scale.csv

# a SLURM of two nodes on this machine: nodes killed at work, then 20 kills of Snakemake and its jobs
# (root, Debian or Ubuntu; an hour on two cores)
slurm: $(BIN)/.installed
	tests/slurm/run.sh
	tests/slurm/run.sh chaos 20 docs/chaos.csv

# style, formatting, types, and who may import whom
check: $(BIN)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports

# every table, figure and ablation of params.yaml, trained here with its budgets, under DVC
reference: $(BIN)/.installed
	$(BIN)/dvc repro

# one page with all tables and figures
report: $(BIN)/.installed
	$(BIN)/snakemake --cores 1 --report results/report.html

# put the results of dvc.lock into the remote inside the repository
publish: $(BIN)/.installed
	$(BIN)/radpipe publish
