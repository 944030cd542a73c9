# Genome, windows, negatives, splits: the sequence store of each dataset.


rule encode_genome:
    input:
        fasta=locate(config["genome"]["fasta"]) or [],
        sequences=tables(config["genome"]["sequences"]),
    output:
        genome=f"{RESULTS}/genome/genome.safetensors",
        sizes=f"{RESULTS}/genome/chrom.sizes",
    log:
        f"{LOGS}/encode_genome.log",
    benchmark:
        f"{BENCHMARKS}/encode_genome.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=grown(4000),
        runtime=60,
    params:
        library=library("encode_genome.py"),
    script:
        "../workflow_scripts/encode_genome.py"


rule extract_windows:
    input:
        peaks=lambda wildcards: locate(DATASETS[wildcards.dataset]["path"]),
        genome=rules.encode_genome.output.genome,
        aliases=tables(config["genome"]["chromosome_aliases"]),
        excluded=given(*config["genome"]["excluded"]),
    output:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        qc=report(
            f"{RESULTS}/sequences/{{dataset}}/qc.tsv",
            caption="../report/qc.rst",
            category="Sequences",
            labels={"dataset": "{dataset}"},
        ),
    log:
        f"{LOGS}/extract_windows/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/extract_windows/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=only([name for name in DATASETS if is_peaks(name)]),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        row=row,
        windows=config["windows"],
        splits=config["splits"],
        negatives=config["negatives"],
        seed=config["seed"],
        library=library("extract_windows.py"),
    script:
        "../workflow_scripts/extract_windows.py"


rule encode_sequences:
    input:
        table=lambda wildcards: locate(DATASETS[wildcards.dataset]["path"]),
        test=lambda wildcards: given(DATASETS[wildcards.dataset]["test_path"]),
    output:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        qc=report(
            f"{RESULTS}/sequences/{{dataset}}/qc.tsv",
            caption="../report/qc.rst",
            category="Sequences",
            labels={"dataset": "{dataset}"},
        ),
    log:
        f"{LOGS}/encode_sequences/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/encode_sequences/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=only([name for name in DATASETS if not is_peaks(name)]),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        row=row,
        windows=config["windows"],
        splits=config["splits"],
        negatives=config["negatives"],
        seed=config["seed"],
        library=library("encode_sequences.py"),
    script:
        "../workflow_scripts/encode_sequences.py"
