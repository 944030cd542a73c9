"""Call sites on a track: local maxima above a threshold."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.site_calling import call_sites

    call_sites(
        snakemake.input.track,
        next(iter(snakemake.input.shuffled), None),
        snakemake.input.peaks,
        snakemake.input.genome,
        snakemake.output.sites,
        snakemake.output.index,
        snakemake.output.summary,
        dataset=snakemake.wildcards.dataset,
        model=snakemake.wildcards.model,
        **snakemake.params.rules,
        aliases=next(iter(snakemake.input.aliases), None),
        excluded=snakemake.input.excluded,
    )
