"""Keep a downloaded file after checking its digest."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.files import keep_verified

    keep_verified(snakemake.input[0], snakemake.output[0], snakemake.params.sha256)
