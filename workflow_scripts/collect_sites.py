"""Put the tables of all called sites together."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.site_evaluation import collect_sites

    collect_sites(snakemake.input, snakemake.output[0])
