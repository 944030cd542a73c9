"""Match a model's motifs in the database and draw their logos."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.matches import annotate_files

    annotate_files(
        snakemake.input.meme,
        snakemake.input.table,
        snakemake.input.kernels,
        snakemake.input.database,
        snakemake.output.matches,
        snakemake.output.summary,
        snakemake.output.logos,
        own=snakemake.params.own,
        dataset=snakemake.wildcards.dataset,
        model=snakemake.wildcards.model,
        alphabet=snakemake.params.alphabet,
        release=snakemake.params.release,
        limit=snakemake.params.limit,
        top=snakemake.params.top,
        threshold=snakemake.params.evalue,
        controls=snakemake.params.controls,
        seed=snakemake.params.seed,
        both_ways=snakemake.params.both_ways,
    )
