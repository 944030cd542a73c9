"""Train a multi-task network on labelled bins."""

from motifloom.jobs import job

# Processes that share a training import this file again.
if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads):
        from motifloom.files import read_table
        from motifloom.hardware import Hardware
        from motifloom.members import Order, around
        from motifloom.multitask import train_multitask
        from motifloom.plots import draw_history
        from motifloom.presets import MULTITASK, choose

        name, params = snakemake.wildcards.preset, snakemake.params
        order = Order(
            preset=choose(MULTITASK, name, params.settings),
            preset_name=name,
            seed=params.seed,
            hardware=Hardware(**params.hardware),
            motifs=next(iter(snakemake.input.get("motifs", [])), ""),
            code=params.library,
            **around(snakemake.resources, params.folders, name, "multitask"),
        )
        train_multitask(
            snakemake.input.store,
            snakemake.input.genome,
            snakemake.output.weights,
            snakemake.output.history,
            snakemake.output.plan,
            order,
        )
        draw_history(read_table(snakemake.output.history), name, snakemake.output.curve)
