# What a dataset's first DeepBind sees in its best test sequences, base by base.


rule attribute_sequences:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        weights=lambda wildcards: weights_of(PRESETS[0], wildcards.dataset),
    output:
        table=f"{RESULTS}/attribution/{{dataset}}/sequences.tsv",
        arrays=f"{RESULTS}/attribution/{{dataset}}/attributions.safetensors",
        drawn=report(
            directory(f"{RESULTS}/attribution/{{dataset}}/drawn"),
            patterns=["{rank}.svg"],
            caption="../report/attribution.rst",
            category="Attribution",
            subcategory="{dataset}",
            labels={"rank": "{rank}"},
        ),
    log:
        f"{LOGS}/attribute_sequences/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/attribute_sequences/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=30,
    params:
        limit=config["attribution"]["sequences"],
        drawn=config["attribution"]["drawn"],
        seed=config["seed"],
        library=library("attribute_sequences.py"),
    script:
        "../workflow_scripts/attribute_sequences.py"
