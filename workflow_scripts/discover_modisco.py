"""Find motifs in a DeepBind's attributions by TF-MoDISco."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.modisco import discover_modisco

    discover_modisco(
        snakemake.input.store,
        snakemake.input.weights,
        snakemake.input.database,
        snakemake.output.meme,
        snakemake.output.table,
        limit=snakemake.params.limit,
        seed=snakemake.params.seed,
    )
