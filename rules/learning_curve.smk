# The first DeepBind preset once more on every dataset, on growing shares of its training positives:
# the rules of the main run with outputs of their own.


use rule train_deepbind as train_share with:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        weights=f"{SHARE}/models/{{preset}}/{{dataset}}/weights.safetensors",
        history=f"{SHARE}/models/{{preset}}/{{dataset}}/history.tsv",
        search=f"{SHARE}/models/{{preset}}/{{dataset}}/search.tsv",
        trainings=f"{SHARE}/models/{{preset}}/{{dataset}}/trainings.tsv",
        curve=f"{SHARE}/models/{{preset}}/{{dataset}}/history.svg",
    log:
        f"{LOGS}/train_share/{{share}}/{{preset}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/train_share/{{share}}/{{preset}}/{{dataset}}.tsv"
    params:
        share=lambda wildcards: float(wildcards.share),


use rule evaluate_windows as evaluate_share with:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
        weights=[f"{SHARE}/models/{PRESETS[0]}/{{dataset}}/weights.safetensors"],
    output:
        metrics=f"{SHARE}/evaluation/{{dataset}}/windows.metrics.tsv",
        curves=f"{SHARE}/evaluation/{{dataset}}/windows.curves.tsv",
        figure=f"{SHARE}/evaluation/{{dataset}}/windows.svg",
        scores=f"{SHARE}/evaluation/{{dataset}}/scores.safetensors",
    log:
        f"{LOGS}/evaluate_share/{{share}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_share/{{share}}/{{dataset}}.tsv"
    params:
        presets=PRESETS[:1],
        motif="",


rule collect_learning_curve:
    input:
        metrics=[
            path.format(dataset=dataset, share=share)
            for dataset in DATASETS
            for path, share in [
                *((rules.evaluate_share.output.metrics, share) for share in SHARES),
                (rules.evaluate_windows.output.metrics, 1),
            ]
        ],
        weights=[
            path.format(dataset=dataset, preset=PRESETS[0], share=share)
            for dataset in DATASETS
            for path, share in [
                *((rules.train_share.output.weights, share) for share in SHARES),
                (rules.train_deepbind.output.weights, 1),
            ]
        ],
    output:
        table=report(
            f"{RESULTS}/learning_curve.tsv",
            caption="../report/learning_curve.rst",
            category="Learning curve",
        ),
        figure=report(
            f"{RESULTS}/learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Learning curve",
        ),
    log:
        f"{LOGS}/collect_learning_curve.log",
    benchmark:
        f"{BENCHMARKS}/collect_learning_curve.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        shares=[*SHARES, 1],
        model=PRESETS[0],
        library=library("collect_learning_curve.py"),
    script:
        "../workflow_scripts/collect_learning_curve.py"
