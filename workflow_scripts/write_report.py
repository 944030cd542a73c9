"""Write the run's self-contained report page."""

from motifloom.jobs import job

with job(snakemake.log[0], snakemake.threads):
    import pandas as pd

    from motifloom.report import installed_versions, write_page

    sheet = pd.DataFrame(snakemake.params.sheet)
    models = map(tuple, snakemake.params.models)
    write_page(
        snakemake.output.page,
        snakemake.input.template,
        f"motifloom: {snakemake.params.config['name']}",
        sheet,
        snakemake.input.metrics,
        snakemake.input.matches,
        dict(zip(models, snakemake.input.logos, strict=True)),
        dict(zip(sheet.dataset, snakemake.input.qc, strict=True)),
        snakemake.input.comparison,
        dict(zip(sheet.dataset, snakemake.input.curves, strict=True)),
        snakemake.params.config,
        installed_versions(),
        networks=snakemake.input.networks,
        networks_svg=snakemake.input.networks_figure,
        cross_validation=next(iter(snakemake.input.get("cross_validation", [])), None),
    )
