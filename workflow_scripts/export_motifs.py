"""Read a model's kernels off as motifs."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.kernels import MotifFiles, export_motifs

    export_motifs(
        snakemake.input.weights,
        snakemake.input.store,
        MotifFiles(**dict(snakemake.output.items())),
        genome=snakemake.input.genome or None,
        database=snakemake.input.database,
        recipe=snakemake.params.recipe,
        top=snakemake.params.top,
    )
