"""Simulate variants of the built-in example that break or create sites, and neutral ones."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.example_variants import simulate_variants

    simulate_variants(
        snakemake.input.genome,
        snakemake.input.truth,
        snakemake.output.vcf,
        snakemake.output.truth,
        seed=snakemake.params.seed,
    )
