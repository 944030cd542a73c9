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
        "../envs/data.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=20,
    params:
        seed=config["seed"],
        negatives=config["negatives"]["train_negatives_per_positive"],
        library=library("fit_kmer.py"),
    script:
        "../workflow_scripts/fit_kmer.py"
