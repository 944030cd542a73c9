"""Score the haplotypes of regions with a trained model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.haplotypes import score_haplotypes

    score_haplotypes(
        snakemake.input.weights,
        snakemake.input.genome,
        snakemake.input.table,
        snakemake.input.arrays,
        snakemake.output.scores,
    )
