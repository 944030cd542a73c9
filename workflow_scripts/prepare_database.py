"""Write the motif database to match against, and compile the matcher once for all jobs."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.databases import warm_up, write_database

    jaspar = snakemake.params.jaspar
    warm_up()
    write_database(
        snakemake.output.meme,
        jaspar["release"] if jaspar["taxa"] else None,
        jaspar["collection"],
        jaspar["taxa"],
        snakemake.input,
    )
