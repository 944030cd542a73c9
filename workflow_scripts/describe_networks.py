"""Describe the trained networks layer by layer."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.architecture import write_architecture

    write_architecture(
        dict(zip(snakemake.params.models, snakemake.input.weights, strict=True)),
        snakemake.output.table,
        snakemake.output.figure,
    )
