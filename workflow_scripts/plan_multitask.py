"""Say what a multi-task training will cost, without doing it."""

from motifloom.jobs import job

# Processes that share a training import this file again.
if __name__ == "__main__":
    with job(snakemake):
        from motifloom.members import order_of
        from motifloom.multitask import plan_multitask

        files, name = snakemake.input, snakemake.wildcards.preset
        order = order_of(
            name, "multitask", snakemake.params, snakemake.resources, files.get("motifs", [])
        )
        plan_multitask(files.store, files.genome, snakemake.output.plan, order)
