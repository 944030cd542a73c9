"""Match a model's motifs in the database and draw their logos."""

from motifloom.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from motifloom.databases import annotate_files

    annotate_files(
        snakemake.input.meme,
        snakemake.input.table,
        snakemake.input.database,
        snakemake.output.matches,
        snakemake.output.logos,
        own=snakemake.params.own,
        dataset=snakemake.wildcards.dataset,
        model=snakemake.wildcards.model,
        alphabet=snakemake.params.alphabet,
        release=snakemake.params.release,
        limit=snakemake.params.limit,
    )
