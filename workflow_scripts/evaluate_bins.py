"""Metrics of multi-task models, DeepBind and the known matrix on a dataset's test bins."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.scoring import evaluate_bins

    row = snakemake.params.row
    evaluate_bins(
        snakemake.input.store,
        snakemake.input.genome,
        dict(zip(snakemake.params.models, snakemake.input.scores, strict=True)),
        snakemake.input.weights,
        snakemake.output.metrics,
        snakemake.output.comparisons,
        dataset=row["dataset"],
        tf=row["tf"],
        motif=snakemake.params.motif,
        release=snakemake.params.release,
        n_bootstrap=snakemake.params.bootstraps,
        seed=snakemake.params.seed,
        recalls=snakemake.params.recalls,
    )
