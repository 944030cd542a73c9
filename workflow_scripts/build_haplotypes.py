"""Find the haplotypes of a BED file's intervals in phased genotypes."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.haplotypes import build_haplotypes

    build_haplotypes(
        snakemake.input.variants,
        snakemake.input.genome,
        snakemake.input.bed,
        snakemake.output.table,
        snakemake.output.arrays,
        snakemake.output.counts,
        next(iter(snakemake.input.get("aliases", [])), None),
    )
