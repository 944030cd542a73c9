# make run, make test: everything else they need is installed into .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
YEAST ?= ../shared/data/yeast
ENCODE ?= ../shared/data/encode_deepbind

.PHONY: run test yeast encode bench bench-scale lint format clean

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

bench: $(VENV)/installed
	$(BIN)/python tests/benchmarks/bench.py --output results/bench.tsv

# Human scale: writes 8 GB to results/scale, where the simulated inputs are kept for the next run.
bench-scale: $(VENV)/installed
	$(BIN)/python tests/benchmarks/scale.py --output results/scale.tsv --folder results/scale

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
