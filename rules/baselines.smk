# Baselines: what other methods get from the examples that DeepBind is trained on.


rule fit_kmer:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        scores=f"{RESULTS}/baselines/kmer/{{dataset}}/test_scores.safetensors",
        choice=f"{RESULTS}/baselines/kmer/{{dataset}}/choice.tsv",
        weights=f"{RESULTS}/baselines/kmer/{{dataset}}/weights.tsv",
    log:
        f"{LOGS}/fit_kmer/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/fit_kmer/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=kmer_memory,
        runtime=20,
    params:
        seed=config["seed"],
        negatives=config["negatives"]["train_negatives_per_positive"],
        library=library("fit_kmer.py"),
    script:
        "../workflow_scripts/fit_kmer.py"


rule fit_lsgkm:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        scores=f"{RESULTS}/baselines/lsgkm/{{dataset}}/test_scores.safetensors",
    log:
        f"{LOGS}/fit_lsgkm/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/fit_lsgkm/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(re.escape(d) for d in DATASETS if "lsgkm" in baselines_of(d)) or "(?!)",
    conda:
        "../envs/lsgkm.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=480,
    params:
        seed=config["seed"],
        negatives=config["negatives"]["train_negatives_per_positive"],
        positives=config["baselines"]["lsgkm_positives"],
        # Beside the kernel values the programs keep trees of words, some hundred MB.
        cache=1500,
        library=library("fit_lsgkm.py"),
    script:
        "../workflow_scripts/fit_lsgkm.py"
