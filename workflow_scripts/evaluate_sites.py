"""Judge called sites on held-out chromosomes, beside those of the known matrix."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.site_evaluation import evaluate_sites

    evaluate_sites(
        snakemake.input.sites,
        snakemake.input.summary,
        snakemake.input.peaks,
        snakemake.input.genome,
        snakemake.output.metrics,
        model=snakemake.wildcards.model,
        **snakemake.params.rules,
        aliases=next(iter(snakemake.input.aliases), None),
        excluded=snakemake.input.excluded,
    )
