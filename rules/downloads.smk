# Files that the config gives by address, fetched once and checked against their digests.


rule download:
    input:
        lambda wildcards: storage.http(ABSENT[wildcards.path].url),
    output:
        f"{RESULTS}/downloads/{{path}}",
    log:
        f"{LOGS}/download/{{path}}.log",
    wildcard_constraints:
        path="|".join(map(re.escape, ABSENT)) or "(?!)",
    # Compute nodes of a cluster often have no way to the internet.
    localrule: True
    conda:
        "../envs/data.yaml"
    # No core, so that all start at once: whenever it chooses jobs, Snakemake asks the servers about
    # the files of every job that still waits.
    threads: 0
    resources:
        mem_mb=500,
        runtime=60,
    params:
        sha256=lambda wildcards: ABSENT[wildcards.path].sha256,
        library=library("download.py"),
    script:
        "../workflow_scripts/download.py"
