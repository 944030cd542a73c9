"""Say what a multi-task training will cost, without doing it."""

from motifloom.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads):
        from motifloom.hardware import Hardware
        from motifloom.members import Order
        from motifloom.multitask import plan_multitask
        from motifloom.presets import MULTITASK, choose

        name, params = snakemake.wildcards.preset, snakemake.params
        plan_multitask(
            snakemake.input.store,
            snakemake.input.genome,
            snakemake.output.plan,
            Order(
                preset=choose(MULTITASK, name, params.settings),
                preset_name=name,
                seed=params.seed,
                hardware=Hardware(**params.hardware),
                motifs=next(iter(snakemake.input.get("motifs", [])), ""),
            ),
        )
