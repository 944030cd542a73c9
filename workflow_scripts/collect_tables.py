"""Put tables of one form together."""

from motifloom.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from motifloom.files import collect_tables

    collect_tables(snakemake.input, snakemake.output[0])
