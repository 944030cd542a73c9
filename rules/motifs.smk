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
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        jaspar=config["motifs"]["jaspar"],
        library=library("prepare_database.py"),
    conda:
        "../envs/motifs.yaml"
    script:
        "../workflow_scripts/prepare_database.py"


rule export_motifs:
    input:
        weights=RESULTS + "/models/{model}/{dataset}/weights.safetensors",
        store=lambda wildcards: (
            rules.label_bins.output.store
            if wildcards.dataset == "multitask"
            else f"{RESULTS}/sequences/{wildcards.dataset}/sequences.safetensors"
        ),
    output:
        meme=RESULTS + "/motifs/{model}/{dataset}/motifs.meme",
        table=RESULTS + "/motifs/{model}/{dataset}/motifs.tsv",
    log:
        LOGS + "/export_motifs/{model}/{dataset}.log",
    benchmark:
        BENCHMARKS + "/export_motifs/{model}/{dataset}.tsv"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        recipe=config["motifs"]["recipe"],
        top=config["motifs"]["top_sequences"],
        library=library("export_motifs.py"),
    conda:
        "../envs/models.yaml"
    script:
        "../workflow_scripts/export_motifs.py"


def datasets_of(wildcards):
    """The datasets that a model was trained on."""
    return config["multitask"]["datasets"] if wildcards.dataset == "multitask" else [wildcards.dataset]


def own_motifs(wildcards):
    """TF name -> motif spec of the known motifs that a model's kernels may recover."""
    names = datasets_of(wildcards)
    return {DATASETS.tf[name]: motif_spec(name) for name in names if motif_spec(name)}


def known_motif_files(wildcards):
    """The MEME files in which those motifs stand."""
    return sorted({path for name in datasets_of(wildcards) for path in motif_file(name)})


rule annotate_motifs:
    input:
        meme=RESULTS + "/motifs/{model}/{dataset}/motifs.meme",
        table=RESULTS + "/motifs/{model}/{dataset}/motifs.tsv",
        database=rules.prepare_database.output.meme,
        motifs=known_motif_files,
    output:
        matches=RESULTS + "/motifs/{model}/{dataset}/matches.tsv",
        logos=report(
            directory(RESULTS + "/motifs/{model}/{dataset}/logos"),
            patterns=["{kernel}.svg"],
            caption="../report/logos.rst",
            category="Motifs",
            subcategory="{dataset}",
            labels={"model": "{model}", "kernel": "{kernel}"},
        ),
    log:
        LOGS + "/annotate_motifs/{model}/{dataset}.log",
    benchmark:
        BENCHMARKS + "/annotate_motifs/{model}/{dataset}.tsv"
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
    conda:
        "../envs/motifs.yaml"
    script:
        "../workflow_scripts/annotate_motifs.py"


rule collect_matches:
    input:
        [f"{RESULTS}/motifs/{model}/{dataset}/matches.tsv" for model, dataset in trained_models()],
    output:
        report(f"{RESULTS}/matches.tsv", caption="../report/matches.rst", category="Summary"),
    log:
        f"{LOGS}/collect_matches.log",
    params:
        library=library("collect_tables.py"),
    conda:
        "../envs/data.yaml"
    script:
        "../workflow_scripts/collect_tables.py"
