"""Put the scores of all parts of the genome together as one dataset's bigWig."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.tracks import write_track

    write_track(snakemake.input, snakemake.wildcards.dataset, snakemake.output.track)
