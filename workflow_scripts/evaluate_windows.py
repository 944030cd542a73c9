"""Metrics and curves of a dataset's models on its test windows."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.window_evaluation import evaluate_windows

    row = snakemake.params.row
    evaluate_windows(
        snakemake.input.store,
        dict(zip(snakemake.params.presets, snakemake.input.weights, strict=True)),
        snakemake.output.metrics,
        snakemake.output.curves,
        snakemake.output.figure,
        snakemake.output.scores,
        dataset=row["dataset"],
        tf=row["tf"],
        motif=snakemake.params.motif,
        release=snakemake.params.release,
        n_bootstrap=snakemake.params.bootstraps,
        seed=snakemake.params.seed,
        baselines=snakemake.input.get("baselines", []),
        recalls=snakemake.params.recalls,
    )
