"""Train LS-GKM on one dataset and score its test split."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.lsgkm import fit_lsgkm

    fit_lsgkm(
        snakemake.input.store,
        snakemake.output.scores,
        seed=snakemake.params.seed,
        negatives_per_positive=snakemake.params.negatives,
        most_positives=snakemake.params.positives,
        cache_mb=snakemake.params.cache,
    )
