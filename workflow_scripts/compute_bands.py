"""Quartiles of the first DeepBind's metrics over datasets with like numbers of peaks."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.bands import compute_bands

    compute_bands(
        snakemake.input.metrics,
        snakemake.input.scores,
        snakemake.params.model,
        snakemake.output[0],
    )
