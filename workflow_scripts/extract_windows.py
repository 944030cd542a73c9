"""Cut windows around a dataset's peaks, with negatives and splits, into a sequence store."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.datasets import build_from_peaks, rules_from_config

    build_from_peaks(
        snakemake.input.peaks,
        snakemake.input.genome,
        snakemake.output.store,
        snakemake.output.qc,
        aliases=next(iter(snakemake.input.get("aliases", [])), None),
        excluded=snakemake.input.get("excluded", []),
        **rules_from_config(snakemake.params, folds=snakemake.input.get("folds")),
    )
