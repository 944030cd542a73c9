"""Score the records of a FASTA with a trained model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.scoring import score_fasta

    score_fasta(snakemake.input.weights, snakemake.input.fasta, snakemake.output.scores)
