"""Train the multi-task DanQ on labelled bins."""

from motifloom.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from motifloom.files import read_table
    from motifloom.multitask import train_danq
    from motifloom.plots import draw_history
    from motifloom.presets import MULTITASK, choose

    name = snakemake.wildcards.preset
    train_danq(
        snakemake.input.store,
        snakemake.output.weights,
        snakemake.output.history,
        preset=choose(MULTITASK, name, snakemake.params.settings),
        preset_name=name,
        seed=snakemake.params.seed,
        device=snakemake.params.device,
    )
    draw_history(read_table(snakemake.output.history), name, snakemake.output.curve)
