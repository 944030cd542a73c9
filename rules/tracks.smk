# Trained models along the genome: bigWig tracks, and the sites that are called on them.


rule scan_chromosomes:
    input:
        weights=weights_of("{model}", "{dataset}"),
        genome=rules.encode_genome.output.genome,
    output:
        scores=temp(f"{RESULTS}/tracks/{{model}}/parts/{{dataset}}.{{part}}.safetensors"),
    log:
        f"{LOGS}/scan_chromosomes/{{model}}/{{dataset}}.{{part}}.log",
    benchmark:
        f"{BENCHMARKS}/scan_chromosomes/{{model}}/{{dataset}}.{{part}}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 2
    resources:
        mem_mb=grown(3000),
        runtime=scan_minutes(2000 * config["tracks"]["jobs"]),
        gpu=scan_gpu,
    params:
        parts=config["tracks"]["jobs"],
        step=track_step,
        max_unknown=config["windows"]["max_unknown"],
        device=config["device"],
        library=library("scan_chromosomes.py"),
    script:
        "../workflow_scripts/scan_chromosomes.py"


rule scan_shuffled:
    input:
        weights=weights_of("{model}", "{dataset}"),
        genome=rules.encode_genome.output.genome,
    output:
        scores=f"{RESULTS}/tracks/{{model}}/{{dataset}}.shuffled.safetensors",
    log:
        f"{LOGS}/scan_shuffled/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/scan_shuffled/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 2
    resources:
        mem_mb=grown(3000),
        runtime=lambda wildcards, attempt: (30 + config["tracks"]["null_bases"] // 10**6) * attempt,
        gpu=scan_gpu,
    params:
        step=track_step,
        n_bases=config["tracks"]["null_bases"],
        seed=config["seed"],
        ignored=config["genome"]["ignored_chromosomes"],
        device=config["device"],
        library=library("scan_shuffled.py"),
    script:
        "../workflow_scripts/scan_shuffled.py"


rule write_track:
    input:
        scan_parts,
    output:
        track=f"{RESULTS}/tracks/{{model}}/{{dataset}}.bw",
    log:
        f"{LOGS}/write_track/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/write_track/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        library=library("write_track.py"),
    script:
        "../workflow_scripts/write_track.py"


rule call_sites:
    input:
        track=rules.write_track.output.track,
        shuffled=shuffled_scan,
        peaks=lambda wildcards: locate(DATASETS[wildcards.dataset]["path"]),
        genome=rules.encode_genome.output.genome,
        aliases=tables(config["genome"]["chromosome_aliases"]),
        excluded=given(*config["genome"]["excluded"]),
    output:
        sites=f"{RESULTS}/tracks/{{model}}/{{dataset}}.narrowPeak.gz",
        index=f"{RESULTS}/tracks/{{model}}/{{dataset}}.narrowPeak.gz.tbi",
        summary=f"{RESULTS}/tracks/{{model}}/{{dataset}}.summary.tsv",
    log:
        f"{LOGS}/call_sites/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/call_sites/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=60,
    params:
        rules=lambda wildcards: {
            "step": track_step(wildcards),
            "separation": config["tracks"]["separation"],
            "tolerance": config["tracks"]["tolerance"],
            "fdr": config["tracks"]["fdr"],
            "validation": HELD_OUT.get("validation", []),
            "ignored": config["genome"]["ignored_chromosomes"],
        },
        library=library("call_sites.py"),
    script:
        "../workflow_scripts/call_sites.py"


rule evaluate_sites:
    input:
        sites=rules.call_sites.output.sites,
        summary=rules.call_sites.output.summary,
        peaks=lambda wildcards: locate(DATASETS[wildcards.dataset]["path"]),
        genome=rules.encode_genome.output.genome,
        motif=lambda wildcards: motif_file(wildcards.dataset),
        aliases=tables(config["genome"]["chromosome_aliases"]),
        excluded=given(*config["genome"]["excluded"]),
    output:
        metrics=f"{RESULTS}/tracks/{{model}}/{{dataset}}.metrics.tsv",
    log:
        f"{LOGS}/evaluate_sites/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_sites/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=60,
    params:
        rules=lambda wildcards: {
            "row": row(wildcards),
            "motif": motif_spec(wildcards.dataset),
            "release": config["motifs"]["jaspar"]["release"],
            "held_out": HELD_OUT,
            "step": track_step(wildcards),
            "separation": config["tracks"]["separation"],
            "tolerance": config["tracks"]["tolerance"],
            "n_bootstrap": config["evaluation"]["bootstraps"],
            "seed": config["seed"],
        },
        library=library("evaluate_sites.py"),
    script:
        "../workflow_scripts/evaluate_sites.py"


rule collect_sites:
    input:
        [f"{RESULTS}/tracks/{model}/{dataset}.metrics.tsv" for model, dataset in TRACKED],
    output:
        report(f"{RESULTS}/sites.tsv", caption="../report/sites.rst", category="Summary"),
    log:
        f"{LOGS}/collect_sites.log",
    benchmark:
        f"{BENCHMARKS}/collect_sites.tsv"
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        order=TRACKED,
        library=library("collect_sites.py"),
    script:
        "../workflow_scripts/collect_sites.py"
