"""Put the metrics of trainings on growing shares together and draw them."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.learning_curve import collect_learning_curve

    collect_learning_curve(
        snakemake.input.metrics,
        snakemake.input.weights,
        snakemake.params.shares,
        snakemake.params.model,
        snakemake.output.table,
        snakemake.output.figure,
    )
