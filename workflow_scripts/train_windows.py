"""Train a comparison network on one dataset's windows."""

from motifloom.jobs import job

# Processes that share a training import this file again.
if __name__ == "__main__":
    with job(snakemake):
        from motifloom.files import read_table
        from motifloom.members import order_of
        from motifloom.plots import draw_history
        from motifloom.windows import train_windows

        made, params = snakemake.output, snakemake.params
        name, dataset = snakemake.wildcards.preset, snakemake.wildcards.dataset
        order = order_of(name, dataset, params, snakemake.resources)
        train_windows(
            snakemake.input.store, made.weights, made.history, made.plan, order,
            negatives_per_positive=params.negatives, loss=params.loss,
        )  # fmt: skip
        draw_history(read_table(made.history), f"{name} on {dataset}", made.curve)
