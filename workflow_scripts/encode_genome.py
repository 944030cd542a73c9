"""Encode a genome's FASTA as memory-mapped base codes."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.files import write_text
    from motifloom.sequences import check_genome, encode_genome

    lengths = encode_genome(snakemake.input.fasta, snakemake.output.genome)
    for table in snakemake.input.get("sequences", []):
        check_genome(snakemake.output.genome, table)
    sizes = "".join(f"{name}\t{length}\n" for name, length in lengths.items())
    write_text(sizes, snakemake.output.sizes)
