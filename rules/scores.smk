# The user's own sequences, scored with the trained models.


rule score_sequences:
    input:
        weights=RESULTS + "/models/" + PRESETS[0] + "/{dataset}/weights.safetensors",
        fasta=lambda wildcards: locate(config["score"][wildcards.fasta]),
    output:
        scores=RESULTS + "/scores/{fasta}/{dataset}.tsv",
    log:
        LOGS + "/score_sequences/{fasta}/{dataset}.log",
    benchmark:
        BENCHMARKS + "/score_sequences/{fasta}/{dataset}.tsv"
    wildcard_constraints:
        fasta="|".join(map(re.escape, config["score"])) or "(?!)",
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        library=library("score_sequences.py"),
    conda:
        "../envs/models.yaml"
    script:
        "../workflow_scripts/score_sequences.py"
