"""Calibration, paired comparisons and what a dataset's negatives are, of its test windows."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.examination import examine_windows

    examine_windows(
        snakemake.input.scores,
        snakemake.input.store,
        dict(snakemake.output.items()),
        method=snakemake.params.method,
        n_bootstrap=snakemake.params.bootstraps,
        seed=snakemake.params.seed,
    )
