"""Weigh the bases of the test sequences that a DeepBind scores highest, and draw them."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.sequence_attributions import attribute_sequences

    attribute_sequences(
        snakemake.input.store,
        snakemake.input.weights,
        snakemake.output.table,
        snakemake.output.arrays,
        snakemake.output.drawn,
        limit=snakemake.params.limit,
        drawn=snakemake.params.drawn,
        seed=snakemake.params.seed,
    )
