"""Train a multi-task network on labelled bins."""

from motifloom.jobs import job

# Processes that share a training import this file again.
if __name__ == "__main__":
    with job(snakemake):
        from motifloom.files import read_table
        from motifloom.members import order_of
        from motifloom.multitask import train_multitask
        from motifloom.plots import draw_history

        files, made, name = snakemake.input, snakemake.output, snakemake.wildcards.preset
        order = order_of(
            name, "multitask", snakemake.params, snakemake.resources, files.get("motifs", [])
        )
        train_multitask(files.store, files.genome, made.weights, made.history, made.plan, order)
        draw_history(read_table(made.history), name, made.curve)
