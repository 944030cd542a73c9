"""Score every substitution in the intervals of a BED file with a trained model, and draw them."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.region_mutagenesis import mutate_regions

    mutate_regions(
        snakemake.input.weights,
        snakemake.input.genome,
        snakemake.input.bed,
        snakemake.output.table,
        snakemake.output.drawn,
        drawn=snakemake.params.drawn,
        aliases=next(iter(snakemake.input.get("aliases", [])), None),
    )
