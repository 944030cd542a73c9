# Metrics on the test split only, of every model, with baselines and the known matrix beside them.


rule evaluate_windows:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        weights=[weights_of(p, "{dataset}") for p in [*PRESETS, *WINDOW_NETWORKS]],
        baselines=lambda wildcards: baseline_scores(wildcards.dataset),
        motif=lambda wildcards: motif_file(wildcards.dataset),
    output:
        metrics=f"{RESULTS}/evaluation/{{dataset}}/windows.metrics.tsv",
        curves=f"{RESULTS}/evaluation/{{dataset}}/windows.curves.tsv",
        figure=report(
            f"{RESULTS}/evaluation/{{dataset}}/windows.svg",
            caption="../report/curves.rst",
            category="Evaluation",
            labels={"dataset": "{dataset}"},
        ),
        scores=f"{RESULTS}/evaluation/{{dataset}}/scores.safetensors",
    log:
        f"{LOGS}/evaluate_windows/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_windows/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=by_store(800, 60),
        runtime=minutes_by_store(20, 5),
    params:
        presets=[*PRESETS, *WINDOW_NETWORKS],
        row=row,
        motif=lambda wildcards: motif_spec(wildcards.dataset),
        release=config["motifs"]["jaspar"]["release"],
        bootstraps=config["evaluation"]["bootstraps"],
        recalls=config["evaluation"]["recalls"],
        seed=config["seed"],
        library=library("evaluate_windows.py"),
    script:
        "../workflow_scripts/evaluate_windows.py"


rule examine_windows:
    input:
        scores=rules.evaluate_windows.output.scores,
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        calibration=f"{RESULTS}/evaluation/{{dataset}}/calibration.tsv",
        reliability=f"{RESULTS}/evaluation/{{dataset}}/reliability.tsv",
        maps=f"{RESULTS}/evaluation/{{dataset}}/calibration.json",
        comparisons=f"{RESULTS}/evaluation/{{dataset}}/comparisons.tsv",
        composition=f"{RESULTS}/evaluation/{{dataset}}/composition.tsv",
        distributions=f"{RESULTS}/evaluation/{{dataset}}/distributions.tsv",
        calibration_figure=report(
            f"{RESULTS}/evaluation/{{dataset}}/calibration.svg",
            caption="../report/calibration.rst",
            category="Evaluation",
            labels={"dataset": "{dataset}", "figure": "calibration"},
        ),
        composition_figure=report(
            f"{RESULTS}/evaluation/{{dataset}}/composition.svg",
            caption="../report/composition.rst",
            category="Evaluation",
            labels={"dataset": "{dataset}", "figure": "composition"},
        ),
        distributions_figure=report(
            f"{RESULTS}/evaluation/{{dataset}}/distributions.svg",
            caption="../report/distributions.rst",
            category="Evaluation",
            labels={"dataset": "{dataset}", "figure": "distributions"},
        ),
    log:
        f"{LOGS}/examine_windows/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/examine_windows/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=by_store(600, 30),
        runtime=minutes_by_store(20, 5),
    params:
        method=config["evaluation"]["calibration"],
        bootstraps=config["evaluation"]["bootstraps"],
        seed=config["seed"],
        library=library("examine_windows.py"),
    script:
        "../workflow_scripts/examine_windows.py"


rule evaluate_bins:
    input:
        store=rules.label_bins.output.store,
        genome=rules.encode_genome.output.genome,
        scores=expand(rules.predict_bins.output.scores, preset=MULTITASK),
        weights=weights_of(PRESETS[0], "{dataset}"),
        motif=lambda wildcards: motif_file(wildcards.dataset),
    output:
        metrics=f"{RESULTS}/evaluation/{{dataset}}/bins.metrics.tsv",
        comparisons=f"{RESULTS}/evaluation/{{dataset}}/bins.comparisons.tsv",
    log:
        f"{LOGS}/evaluate_bins/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_bins/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=minutes_by_store(30, 5),
    params:
        models=MULTITASK,
        row=row,
        motif=lambda wildcards: motif_spec(wildcards.dataset),
        release=config["motifs"]["jaspar"]["release"],
        bootstraps=config["evaluation"]["bootstraps"],
        recalls=config["evaluation"]["recalls"],
        seed=config["seed"],
        library=library("evaluate_bins.py"),
    script:
        "../workflow_scripts/evaluate_bins.py"


rule collect_metrics:
    input:
        expand(rules.evaluate_windows.output.metrics, dataset=DATASETS),
        expand(rules.evaluate_bins.output.metrics, dataset=config["multitask"]["datasets"])
        if MULTITASK
        else [],
    output:
        report(f"{RESULTS}/metrics.tsv", caption="../report/metrics.rst", category="Summary"),
    log:
        f"{LOGS}/collect_metrics.log",
    conda:
        "../envs/data.yaml"
    params:
        order=[*DATASETS],
        library=library("collect_tables.py"),
    script:
        "../workflow_scripts/collect_tables.py"


rule collect_calibration:
    input:
        expand(rules.examine_windows.output.calibration, dataset=DATASETS),
    output:
        report(
            f"{RESULTS}/calibration.tsv",
            caption="../report/calibration_table.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/collect_calibration.log",
    benchmark:
        f"{BENCHMARKS}/collect_calibration.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        order=[*DATASETS],
        library=library("collect_tables.py"),
    script:
        "../workflow_scripts/collect_tables.py"


rule collect_comparisons:
    input:
        expand(rules.examine_windows.output.comparisons, dataset=DATASETS),
        expand(rules.evaluate_bins.output.comparisons, dataset=config["multitask"]["datasets"])
        if MULTITASK
        else [],
    output:
        report(
            f"{RESULTS}/comparisons.tsv",
            caption="../report/comparisons.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/collect_comparisons.log",
    benchmark:
        f"{BENCHMARKS}/collect_comparisons.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        order=[*DATASETS],
        library=library("collect_comparisons.py"),
    script:
        "../workflow_scripts/collect_comparisons.py"


rule compute_bands:
    input:
        metrics=rules.collect_metrics.output[0],
        scores=expand(rules.evaluate_windows.output.scores, dataset=DATASETS),
    output:
        report(f"{RESULTS}/bands.tsv", caption="../report/bands.rst", category="Summary"),
    log:
        f"{LOGS}/compute_bands.log",
    benchmark:
        f"{BENCHMARKS}/compute_bands.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        model=PRESETS[0],
        library=library("compute_bands.py"),
    script:
        "../workflow_scripts/compute_bands.py"


rule describe_networks:
    input:
        weights=[weights_of(preset, [*DATASETS][0]) for preset in PRESETS]
        + [weights_of(model, "multitask") for model in MULTITASK],
    output:
        table=report(
            f"{RESULTS}/architecture.tsv",
            caption="../report/architecture.rst",
            category="Summary",
        ),
        figure=report(
            f"{RESULTS}/architecture.svg",
            caption="../report/architecture.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/describe_networks.log",
    benchmark:
        f"{BENCHMARKS}/describe_networks.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=10,
    params:
        models=[*PRESETS, *MULTITASK],
        library=library("describe_networks.py"),
    script:
        "../workflow_scripts/describe_networks.py"
