"""Put the motifs of all TFs and models that are the same into families."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.families import cluster_files

    cluster_files(
        snakemake.input.memes,
        snakemake.input.tables,
        snakemake.params.models,
        snakemake.input.database,
        snakemake.output.table,
        snakemake.output.members,
        snakemake.output.meme,
        snakemake.output.logos,
        tfs=snakemake.params.tfs,
        alphabets=snakemake.params.alphabets,
        threshold=snakemake.params.evalue,
    )
