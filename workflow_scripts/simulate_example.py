"""Simulate the built-in example."""

from pathlib import Path

from motifloom.jobs import job

with job(snakemake):
    from motifloom.example import simulate

    simulate(Path(snakemake.output.genome).parent, seed=snakemake.params.seed)
