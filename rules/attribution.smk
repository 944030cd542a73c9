# What a dataset's first DeepBind sees in its best test sequences, base by base.


rule attribute_sequences:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        weights=weights_of(PRESETS[0], "{dataset}"),
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
        mem_mb=by_store(1500, 20),
        runtime=minutes_by_store(30, 2),
    params:
        limit=config["attribution"]["sequences"],
        drawn=config["attribution"]["drawn"],
        seed=config["seed"],
        library=library("attribute_sequences.py"),
    script:
        "../workflow_scripts/attribute_sequences.py"


rule discover_modisco:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        weights=weights_of(PRESETS[0], "{dataset}"),
        database=rules.prepare_database.output.meme,
    output:
        meme=f"{RESULTS}/attribution/{{dataset}}/modisco.meme",
        table=report(
            f"{RESULTS}/attribution/{{dataset}}/modisco.tsv",
            caption="../report/modisco.rst",
            category="Attribution",
            subcategory="{dataset}",
        ),
    log:
        f"{LOGS}/discover_modisco/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/discover_modisco/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(4000),
        runtime=240,
    params:
        limit=config["attribution"]["modisco_sequences"],
        seed=config["seed"],
        library=library("discover_modisco.py"),
    script:
        "../workflow_scripts/discover_modisco.py"
