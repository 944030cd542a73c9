"""Label the genome's bins with the peaks of all multi-task datasets."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.bins import BinRules, build_bins

    rules = {key: value for key, value in snakemake.params.rules.items() if key != "datasets"}
    build_bins(
        dict(zip(snakemake.params.names, snakemake.input.peaks, strict=True)),
        snakemake.input.genome,
        snakemake.output.store,
        snakemake.output.qc,
        rules=BinRules(**rules, ignored_chromosomes=tuple(snakemake.params.ignored)),
        test=snakemake.params.splits["test"]["chromosomes"],
        validation=snakemake.params.splits["validation"]["chromosomes"],
        max_unknown=snakemake.params.max_unknown,
        seed=snakemake.params.seed,
        aliases=next(iter(snakemake.input.get("aliases", [])), None),
        excluded=snakemake.input.get("excluded", []),
        threads=snakemake.threads,
    )
