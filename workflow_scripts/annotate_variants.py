"""Annotate a VCF with what its variants do to binding, by the models of one preset."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.annotation import annotate_variants

    names = snakemake.params.datasets
    annotate_variants(
        snakemake.input.variants,
        snakemake.input.genome,
        dict(zip(names, snakemake.input.weights, strict=True)),
        snakemake.output,
        model=snakemake.wildcards.model,
        calibrations=dict(zip(names, snakemake.input.calibrations, strict=False)),
        aliases=next(iter(snakemake.input.aliases), None),
        ignored=snakemake.params.ignored,
        shifts=snakemake.params.shifts,
        n_null=snakemake.params.n_null,
        mismatches=snakemake.params.mismatches,
        seed=snakemake.params.seed,
    )
