"""Write a trained model's card and copy its motifs beside it."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.cards import share_model

    names = ("weights", "history", "store", "motifs", "genome", "calibration")
    share_model(
        {name: snakemake.input.get(name) or "" for name in names},
        snakemake.input.metrics,
        snakemake.output.card,
        snakemake.output.motifs,
        **snakemake.params.about,
    )
