"""Encode a table of labelled or scored sequences, with negatives and splits, into a store."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.datasets import build_from_sequences, rules_from_config

    build_from_sequences(
        snakemake.input.table,
        next(iter(snakemake.input.get("test", [])), None),
        snakemake.output.store,
        snakemake.output.qc,
        **rules_from_config(snakemake.params),
    )
