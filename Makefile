# make run, make test: everything else they need is installed into .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
YEAST ?= ../shared/data/yeast
ENCODE ?= ../shared/data/encode_deepbind
RUN ?= results/example
KILLS ?= 20
SEED ?= 1
ON_RUNS := PYTHONPATH=workflow_scripts $(BIN)/python -m motifloom

.PHONY: run test yeast encode bench bench-scale lint format clean \
	reproduce freeze check chaos bench-overhead bench-demands fuzz \
	test-slurm test-tutorial test-example test-yeast

run: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES)
	@echo "Done. Open results/example/report.html; tables: results/example/metrics.tsv, matches.tsv;"
	@echo "logos: results/example/motifs/; what was planted: results/example/simulated/truth.tsv."

# Where the data folder is absent, the workflow downloads genome and peaks.
yeast: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES) --configfile config/yeast/config.yaml \
		$(shell test -d "$(YEAST)" && echo '--config "data_folder=$(YEAST)"')
	@echo "Done. Open results/yeast/report.html."

# Nothing is downloaded: the folder must hold the files.
encode: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES) --configfile config/encode_chipseq/config.yaml \
		--config "data_folder=$(ENCODE)"
	@echo "Done. Open results/encode_chipseq/report.html."

test: $(VENV)/installed lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# A throw-away Slurm is installed (Debian, as root), started and stopped; elsewhere it is skipped.
test-slurm: $(VENV)/installed
	tests/slurm/install.sh
	$(BIN)/python -m pytest tests/slurm

# Every command of docs/tutorial.md, in its order; needs the folder of yeast data.
test-tutorial: $(VENV)/installed
	YEAST="$(abspath $(YEAST))" $(BIN)/python -m pytest tests/tutorial

# After make run: whether its models know the variants that break or create planted sites.
test-example: $(VENV)/installed
	$(BIN)/python -m pytest tests/example

# Whether variants of real sites are scored as maps of substitutions have them. Two models are
# trained where make yeast was not run.
test-yeast: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES) --configfile config/yeast/config.yaml \
		$(shell test -d "$(YEAST)" && echo '--config "data_folder=$(YEAST)"') -- \
		results/yeast/models/deepbind/Reb1/weights.safetensors \
		results/yeast/models/deepbind/Abf1/weights.safetensors
	$(BIN)/python -m pytest tests/yeast

# Kills at random moments; every run must come to the results of an undisturbed one.
chaos: $(VENV)/installed
	$(BIN)/python tests/chaos/chaos.py --kills $(KILLS) --seed $(SEED)

bench: $(VENV)/installed
	$(BIN)/python tests/benchmarks/bench.py --output results/bench.tsv

# Whole jobs: a million variants, and yeast's genome, by thirteen models.
bench-demands: $(VENV)/installed
	$(BIN)/python tests/benchmarks/demands.py

# Human scale: writes 8 GB to results/scale, where the simulated inputs are kept for the next run.
bench-scale: $(VENV)/installed
	$(BIN)/python tests/benchmarks/scale.py --output results/scale.tsv --folder results/scale

# A finished run again in a fresh folder (FOLDER, if it is to be kept), every result compared.
reproduce: $(VENV)/installed
	$(ON_RUNS) reproduce "$(RUN)" --cores $(CORES) --folder "$(FOLDER)"

# A finished run as one archive, by default $(RUN).frozen.zip.
freeze: $(VENV)/installed
	$(ON_RUNS) freeze "$(RUN)" --archive "$(ARCHIVE)"

# An archive, or the folder of a run (ARCHIVE=results/name), against the digests of its files.
check: $(VENV)/installed
	$(ON_RUNS) check "$(ARCHIVE)"

# What 100 datasets cost that do next to nothing, and the graph of 1,000: a quarter of an hour.
bench-overhead: $(VENV)/installed
	$(BIN)/python tests/benchmarks/overhead.py --output results/overhead.tsv

# Damaged files for every reader, 152,000 of them, then damaged configs; failing ones are kept.
fuzz: $(VENV)/installed
	$(BIN)/python tests/fuzz/fuzz.py --seed $(SEED) --folder results/fuzz
	$(BIN)/python tests/fuzz/whole.py --seed $(SEED)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

# The stamp is written last, so that an interrupted installation is taken up again.
$(VENV)/installed: envs/requirements.txt envs/requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements-dev.txt
	@touch $@

clean:
	rm -rf results logs .snakemake
