"""Write the run's self-contained report page."""

from motifloom.jobs import job

with job(snakemake):
    from pathlib import Path

    from motifloom.report import PACKAGES, write_page
    from motifloom.versions import installed

    write_page(
        snakemake.output.page,
        snakemake.input.templates,
        f"motifloom: {snakemake.params.config['name']}",
        Path(snakemake.output.page).parent,
        snakemake.input.results,
        snakemake.params.sheet,
        map(tuple, snakemake.params.models),
        snakemake.params.config,
        installed(PACKAGES),
    )
