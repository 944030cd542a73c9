# Kernels as PWMs, their logos and their matches in motif databases.


rule prepare_database:
    input:
        given(*config["motifs"]["meme_files"]),
    output:
        meme=f"{RESULTS}/motifs/database.meme",
    log:
        f"{LOGS}/prepare_database.log",
    benchmark:
        f"{BENCHMARKS}/prepare_database.tsv"
    conda:
        "../envs/motifs.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        jaspar=config["motifs"]["jaspar"],
        library=library("prepare_database.py"),
    script:
        "../workflow_scripts/prepare_database.py"


rule export_motifs:
    input:
        weights=f"{RESULTS}/models/{{model}}/{{dataset}}/weights.safetensors",
        store=lambda wildcards: (
            rules.label_bins.output.store
            if wildcards.dataset == "multitask"
            else f"{RESULTS}/sequences/{wildcards.dataset}/sequences.safetensors"
        ),
        genome=lambda wildcards: (
            rules.encode_genome.output.genome if wildcards.dataset == "multitask" else []
        ),
    output:
        meme=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.meme",
        table=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.tsv",
    log:
        f"{LOGS}/export_motifs/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/export_motifs/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        recipe=config["motifs"]["recipe"],
        top=config["motifs"]["top_sequences"],
        library=library("export_motifs.py"),
    script:
        "../workflow_scripts/export_motifs.py"


rule annotate_motifs:
    input:
        meme=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.meme",
        table=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.tsv",
        database=rules.prepare_database.output.meme,
        motifs=known_motif_files,
    output:
        matches=f"{RESULTS}/motifs/{{model}}/{{dataset}}/matches.tsv",
        logos=report(
            directory(f"{RESULTS}/motifs/{{model}}/{{dataset}}/logos"),
            patterns=["{kernel}.svg"],
            caption="../report/logos.rst",
            category="Motifs",
            subcategory="{dataset}",
            labels={"model": "{model}", "kernel": "{kernel}"},
        ),
    log:
        f"{LOGS}/annotate_motifs/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/annotate_motifs/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/motifs.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        own=own_motifs,
        alphabet=lambda wildcards: (
            "dna" if wildcards.dataset == "multitask" else DATASETS.alphabet[wildcards.dataset]
        ),
        release=config["motifs"]["jaspar"]["release"],
        limit=config["motifs"]["logos_per_model"],
        library=library("annotate_motifs.py"),
    script:
        "../workflow_scripts/annotate_motifs.py"


rule collect_matches:
    input:
        [f"{RESULTS}/motifs/{model}/{dataset}/matches.tsv" for model, dataset in trained_models()],
    output:
        report(f"{RESULTS}/matches.tsv", caption="../report/matches.rst", category="Summary"),
    log:
        f"{LOGS}/collect_matches.log",
    conda:
        "../envs/data.yaml"
    params:
        library=library("collect_tables.py"),
    script:
        "../workflow_scripts/collect_tables.py"
