"""Score the intervals of a BED file with a trained model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.regions import score_regions

    score_regions(
        snakemake.input.weights,
        snakemake.input.genome,
        snakemake.input.bed,
        snakemake.output.scores,
        next(iter(snakemake.input.get("aliases", [])), None),
    )
