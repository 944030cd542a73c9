"""Put the metrics of all folds together, with their mean and spread."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.cross_validation import collect_folds

    collect_folds(
        snakemake.input.metrics,
        snakemake.params.folds,
        snakemake.output.metrics,
        snakemake.output.summary,
    )
