"""Read a model's kernels off as PWMs."""

from motifloom.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from motifloom.kernels import export_motifs

    export_motifs(
        snakemake.input.weights,
        snakemake.input.store,
        snakemake.output.meme,
        snakemake.output.table,
        genome=snakemake.input.genome or None,
        recipe=snakemake.params.recipe,
        top=snakemake.params.top,
    )
