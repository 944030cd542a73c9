"""Score shuffled pieces of the genome with a trained model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.shuffled_genome import scan_shuffled

    scan_shuffled(
        snakemake.input.weights,
        snakemake.input.genome,
        snakemake.output.scores,
        step=snakemake.params.step,
        n_bases=snakemake.params.n_bases,
        seed=snakemake.params.seed,
        ignored=snakemake.params.ignored,
        device=snakemake.params.device,
    )
