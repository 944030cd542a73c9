"""Train a comparison network on one dataset's windows."""

from motifloom.jobs import job

# Processes that share a training import this file again.
if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads):
        from motifloom.files import read_table
        from motifloom.hardware import Hardware
        from motifloom.members import Order, around
        from motifloom.plots import draw_history
        from motifloom.presets import MULTITASK, choose
        from motifloom.windows import train_windows

        name, params = snakemake.wildcards.preset, snakemake.params
        train_windows(
            snakemake.input.store,
            snakemake.output.weights,
            snakemake.output.history,
            snakemake.output.plan,
            Order(
                preset=choose(MULTITASK, name, params.settings),
                preset_name=name,
                seed=params.seed,
                hardware=Hardware(**params.hardware),
                code=params.library,
                **around(snakemake.resources, params.folders, name, snakemake.wildcards.dataset),
            ),
            negatives_per_positive=params.negatives,
            loss=params.loss,
        )
        title = f"{name} on {snakemake.wildcards.dataset}"
        draw_history(read_table(snakemake.output.history), title, snakemake.output.curve)
