"""Put tables of one form together."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.files import collect_tables

    collect_tables(snakemake.input, snakemake.output[0])
