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
        database=rules.prepare_database.output.meme,
    output:
        kernels_meme=f"{RESULTS}/motifs/{{model}}/{{dataset}}/kernels.meme",
        kernels=f"{RESULTS}/motifs/{{model}}/{{dataset}}/kernels.tsv",
        meme=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.meme",
        jaspar=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.jaspar",
        transfac=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.transfac",
        table=report(
            f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.tsv",
            caption="../report/motifs.rst",
            category="Motifs",
            subcategory="{dataset}",
            labels={"model": "{model}", "kernel": "all"},
        ),
        positions=f"{RESULTS}/motifs/{{model}}/{{dataset}}/positions.tsv",
    log:
        f"{LOGS}/export_motifs/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/export_motifs/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    threads: reading_threads
    resources:
        mem_mb=by_store(2000, 100),
        runtime=minutes_by_store(60, 10),
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
        kernels=f"{RESULTS}/motifs/{{model}}/{{dataset}}/kernels.tsv",
        database=rules.prepare_database.output.meme,
        motifs=known_motif_files,
    output:
        matches=f"{RESULTS}/motifs/{{model}}/{{dataset}}/matches.tsv",
        summary=f"{RESULTS}/motifs/{{model}}/{{dataset}}/summary.tsv",
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
            "dna" if wildcards.dataset == "multitask" else DATASETS[wildcards.dataset]["alphabet"]
        ),
        release=config["motifs"]["jaspar"]["release"],
        limit=config["motifs"]["logos_per_model"],
        top=config["motifs"]["matches_per_motif"],
        evalue=config["motifs"]["evalue"],
        controls=config["motifs"]["controls"],
        both_ways=config["motifs"]["reverse_complement_logos"],
        seed=config["seed"],
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
        order=[*DATASETS],
        library=library("collect_tables.py"),
    script:
        "../workflow_scripts/collect_tables.py"


rule collect_motif_summaries:
    input:
        [f"{RESULTS}/motifs/{model}/{dataset}/summary.tsv" for model, dataset in trained_models()],
    output:
        report(
            f"{RESULTS}/motif_summary.tsv",
            caption="../report/motif_summary.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/collect_motif_summaries.log",
    conda:
        "../envs/data.yaml"
    params:
        order=[*DATASETS],
        library=library("collect_tables.py"),
    script:
        "../workflow_scripts/collect_tables.py"


rule cluster_motifs:
    input:
        memes=[
            f"{RESULTS}/motifs/{model}/{dataset}/motifs.meme"
            for model, dataset in trained_models()
        ],
        tables=[
            f"{RESULTS}/motifs/{model}/{dataset}/motifs.tsv" for model, dataset in trained_models()
        ],
        database=rules.prepare_database.output.meme,
    output:
        table=report(
            f"{RESULTS}/families.tsv",
            caption="../report/families.rst",
            category="Summary",
        ),
        members=f"{RESULTS}/families/members.tsv",
        meme=f"{RESULTS}/families/families.meme",
        logos=report(
            directory(f"{RESULTS}/families/logos"),
            patterns=["{family}.svg"],
            caption="../report/families.rst",
            category="Motifs",
            subcategory="families",
            labels={"family": "{family}"},
        ),
    log:
        f"{LOGS}/cluster_motifs.log",
    benchmark:
        f"{BENCHMARKS}/cluster_motifs.tsv"
    conda:
        "../envs/motifs.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        models=trained_models(),
        tfs={name: line["tf"] for name, line in DATASETS.items()},
        alphabets={name: line["alphabet"] for name, line in DATASETS.items()},
        evalue=config["motifs"]["evalue"],
        library=library("cluster_motifs.py"),
    script:
        "../workflow_scripts/cluster_motifs.py"
