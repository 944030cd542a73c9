"""Train DeepBind on one dataset."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.deepbind import train_deepbind
    from motifloom.files import read_table
    from motifloom.plots import draw_history
    from motifloom.presets import DEEPBIND, choose

    name = snakemake.wildcards.preset
    train_deepbind(
        snakemake.input.store,
        snakemake.output.weights,
        snakemake.output.history,
        snakemake.output.search,
        snakemake.output.trainings,
        preset=choose(DEEPBIND, name, snakemake.params.settings),
        preset_name=name,
        seed=snakemake.params.seed,
        negatives_per_positive=snakemake.params.negatives,
        loss=snakemake.params.loss,
        device=snakemake.params.device,
        threads=snakemake.threads,
        share=snakemake.params.get("share", 1.0),
    )
    title = f"{name} on {snakemake.wildcards.dataset}"
    draw_history(read_table(snakemake.output.history), title, snakemake.output.curve)
