# The first DeepBind preset once more on every dataset, with each fold of it held out in turn: the
# rules of the main run with outputs of their own.


rule assign_folds:
    input:
        sizes=rules.encode_genome.output.sizes,
    output:
        folds=report(
            f"{RESULTS}/cross_validation/folds.tsv",
            caption="../report/folds.rst",
            category="Cross-validation",
        ),
    log:
        f"{LOGS}/assign_folds.log",
    conda:
        "../envs/data.yaml"
    params:
        folds=FOLDS,
        ignored=config["genome"]["ignored_chromosomes"],
        library=library("assign_folds.py"),
    script:
        "../workflow_scripts/assign_folds.py"


use rule extract_windows as extract_fold with:
    input:
        peaks=lambda wildcards: locate(DATASETS[wildcards.dataset]["path"]),
        genome=rules.encode_genome.output.genome,
        aliases=tables(config["genome"]["chromosome_aliases"]),
        excluded=given(*config["genome"]["excluded"]),
        folds=rules.assign_folds.output.folds,
    output:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
        qc=f"{FOLD}/sequences/{{dataset}}/qc.tsv",
    log:
        f"{LOGS}/extract_fold/fold{{fold}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/extract_fold/fold{{fold}}/{{dataset}}.tsv"
    params:
        splits=fold_splits,


use rule encode_sequences as encode_fold with:
    output:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
        qc=f"{FOLD}/sequences/{{dataset}}/qc.tsv",
    log:
        f"{LOGS}/encode_fold/fold{{fold}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/encode_fold/fold{{fold}}/{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(re.escape(d) for d in IN_FOLDS if not is_peaks(d)) or "(?!)",
    params:
        splits=fold_splits,


use rule train_deepbind as train_fold with:
    input:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
    output:
        weights=f"{FOLD}/models/{{preset}}/{{dataset}}/weights.safetensors",
        history=f"{FOLD}/models/{{preset}}/{{dataset}}/history.tsv",
        search=f"{FOLD}/models/{{preset}}/{{dataset}}/search.tsv",
        trainings=f"{FOLD}/models/{{preset}}/{{dataset}}/trainings.tsv",
        curve=f"{FOLD}/models/{{preset}}/{{dataset}}/history.svg",
    log:
        f"{LOGS}/train_fold/fold{{fold}}/{{preset}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/train_fold/fold{{fold}}/{{preset}}/{{dataset}}.tsv"


use rule fit_kmer as fit_kmer_fold with:
    input:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
    output:
        scores=f"{FOLD}/baselines/kmer/{{dataset}}/test_scores.safetensors",
        choice=f"{FOLD}/baselines/kmer/{{dataset}}/choice.tsv",
        weights=f"{FOLD}/baselines/kmer/{{dataset}}/weights.tsv",
    log:
        f"{LOGS}/fit_kmer_fold/fold{{fold}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/fit_kmer_fold/fold{{fold}}/{{dataset}}.tsv"


use rule fit_lsgkm as fit_lsgkm_fold with:
    input:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
    output:
        scores=f"{FOLD}/baselines/lsgkm/{{dataset}}/test_scores.safetensors",
    log:
        f"{LOGS}/fit_lsgkm_fold/fold{{fold}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/fit_lsgkm_fold/fold{{fold}}/{{dataset}}.tsv"


use rule evaluate_windows as evaluate_fold with:
    input:
        store=f"{FOLD}/sequences/{{dataset}}/sequences.safetensors",
        weights=[f"{FOLD}/models/{PRESETS[0]}/{{dataset}}/weights.safetensors"],
        baselines=lambda wildcards: baseline_scores(
            wildcards.dataset, FOLD.format(fold=wildcards.fold)
        ),
        motif=lambda wildcards: motif_file(wildcards.dataset),
    output:
        metrics=f"{FOLD}/evaluation/{{dataset}}/windows.metrics.tsv",
        curves=f"{FOLD}/evaluation/{{dataset}}/windows.curves.tsv",
        figure=f"{FOLD}/evaluation/{{dataset}}/windows.svg",
        scores=f"{FOLD}/evaluation/{{dataset}}/scores.safetensors",
    log:
        f"{LOGS}/evaluate_fold/fold{{fold}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_fold/fold{{fold}}/{{dataset}}.tsv"
    params:
        presets=PRESETS[:1],


rule collect_folds:
    input:
        metrics=expand(
            rules.evaluate_fold.output.metrics,
            dataset=IN_FOLDS,
            fold=range(1, FOLDS + 1),
        ),
    output:
        summary=report(
            f"{RESULTS}/cross_validation.tsv",
            caption="../report/cross_validation.rst",
            category="Cross-validation",
        ),
        metrics=f"{RESULTS}/cross_validation/metrics.tsv",
    log:
        f"{LOGS}/collect_folds.log",
    conda:
        "../envs/data.yaml"
    params:
        folds=FOLDS,
        library=library("collect_folds.py"),
    script:
        "../workflow_scripts/collect_folds.py"
