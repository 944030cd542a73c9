"""Score a part of the genome's chromosomes with a trained model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.tracks import scan_part

    scan_part(
        snakemake.input.weights,
        snakemake.input.genome,
        snakemake.output.scores,
        part=int(snakemake.wildcards.part),
        parts=snakemake.params.parts,
        step=snakemake.params.step,
        max_unknown=snakemake.params.max_unknown,
        device=snakemake.params.device,
    )
