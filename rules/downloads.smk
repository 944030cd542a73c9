# Files that the config gives by address, fetched once and checked against their digests.


rule download:
    input:
        lambda wildcards: storage.http(DOWNLOADS[wildcards.path].url),
    output:
        RESULTS + "/downloads/{path}",
    log:
        LOGS + "/download/{path}.log",
    wildcard_constraints:
        path="|".join(map(re.escape, DOWNLOADS)) or "(?!)",
    resources:
        mem_mb=500,
        runtime=60,
    params:
        sha256=lambda wildcards: DOWNLOADS[wildcards.path].sha256,
        library=library("download.py"),
    conda:
        "../envs/data.yaml"
    script:
        "../workflow_scripts/download.py"
