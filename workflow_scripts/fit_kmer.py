"""Fit the k-mer baseline to one dataset and score its test split."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.kmers import fit_kmer

    fit_kmer(
        snakemake.input.store,
        snakemake.output.scores,
        snakemake.output.choice,
        snakemake.output.weights,
        seed=snakemake.params.seed,
        negatives_per_positive=snakemake.params.negatives,
    )
