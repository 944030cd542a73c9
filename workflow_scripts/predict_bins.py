"""Score the test bins with a multi-task model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.scoring import predict_bins

    predict_bins(
        snakemake.input.store,
        snakemake.input.genome,
        snakemake.input.weights,
        snakemake.output.scores,
        snakemake.params.device,
    )
