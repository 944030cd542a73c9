"""Deal the genome's chromosomes into the folds of the cross-validation."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.folds import assign_folds

    assign_folds(
        snakemake.input.sizes,
        snakemake.output.folds,
        snakemake.params.folds,
        snakemake.params.ignored,
    )
