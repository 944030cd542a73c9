"""Draw all datasets' AUROC by model."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.evaluation import TEXT_COLUMNS
    from motifloom.files import read_table
    from motifloom.plots import draw_comparison

    draw_comparison(read_table(snakemake.input.metrics, TEXT_COLUMNS), snakemake.output.figure)
