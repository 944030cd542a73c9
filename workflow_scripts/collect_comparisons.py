"""Put all datasets' comparisons together, with tests over the datasets."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.comparisons import collect_comparisons

    collect_comparisons(snakemake.input, snakemake.output[0])
