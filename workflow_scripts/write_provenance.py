"""Write what the run was made of, and the digests of its results."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.provenance import write_provenance

    write_provenance(
        snakemake.output.provenance,
        snakemake.output.checksums,
        inputs=snakemake.input.given,
        threads=snakemake.threads,
        **snakemake.params.run,
    )
