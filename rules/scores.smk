# The user's own sequences, scored with the trained models.


rule score_sequences:
    input:
        weights=f"{RESULTS}/models/{PRESETS[0]}/{{dataset}}/weights.safetensors",
        fasta=lambda wildcards: locate(config["score"][wildcards.fasta]),
    output:
        scores=f"{RESULTS}/scores/{{fasta}}/{{dataset}}.tsv",
    log:
        f"{LOGS}/score_sequences/{{fasta}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/score_sequences/{{fasta}}/{{dataset}}.tsv"
    wildcard_constraints:
        fasta="|".join(map(re.escape, config["score"])) or "(?!)",
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        library=library("score_sequences.py"),
    script:
        "../workflow_scripts/score_sequences.py"
