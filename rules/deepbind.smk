# One DeepBind per dataset and preset: calibration, final trainings, and what of them is kept.


rule train_deepbind:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        weights=f"{RESULTS}/models/{{preset}}/{{dataset}}/weights.safetensors",
        history=f"{RESULTS}/models/{{preset}}/{{dataset}}/history.tsv",
        search=report(
            f"{RESULTS}/models/{{preset}}/{{dataset}}/search.tsv",
            caption="../report/search.rst",
            category="Training",
            labels={"dataset": "{dataset}", "model": "{preset}", "table": "calibration"},
        ),
        trainings=report(
            f"{RESULTS}/models/{{preset}}/{{dataset}}/trainings.tsv",
            caption="../report/trainings.rst",
            category="Training",
            labels={"dataset": "{dataset}", "model": "{preset}", "table": "final trainings"},
        ),
        curve=report(
            f"{RESULTS}/models/{{preset}}/{{dataset}}/history.svg",
            caption="../report/history.rst",
            category="Training",
            labels={"dataset": "{dataset}", "model": "{preset}"},
        ),
    log:
        f"{LOGS}/train_deepbind/{{preset}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/train_deepbind/{{preset}}/{{dataset}}.tsv"
    wildcard_constraints:
        preset="|".join(map(re.escape, PRESETS)),
    conda:
        "../envs/models.yaml"
    threads: config["threads"]["deepbind"]
    resources:
        mem_mb=train_memory,
        runtime=train_minutes,
        gpu=GPU,
    params:
        settings=lambda wildcards: config["models"]["settings"].get(wildcards.preset, {}),
        seed=config["seed"],
        negatives=config["negatives"]["train_negatives_per_positive"],
        loss=config["models"]["score_loss"],
        device=config["device"],
        library=library("train_deepbind.py"),
    script:
        "../workflow_scripts/train_deepbind.py"


rule train_windows:
    input:
        store=f"{RESULTS}/sequences/{{dataset}}/sequences.safetensors",
    output:
        weights=f"{RESULTS}/models/{{preset}}/{{dataset}}/weights.safetensors",
        history=f"{RESULTS}/models/{{preset}}/{{dataset}}/history.tsv",
        # Times differ from run to run, which results do not.
        plan=report(
            f"{LOGS}/plans/{{preset}}/{{dataset}}.tsv",
            caption="../report/plan.rst",
            category="Training",
            labels={"dataset": "{dataset}", "model": "{preset}", "table": "cost"},
        ),
        curve=report(
            f"{RESULTS}/models/{{preset}}/{{dataset}}/history.svg",
            caption="../report/history.rst",
            category="Training",
            labels={"dataset": "{dataset}", "model": "{preset}"},
        ),
    log:
        f"{LOGS}/train_windows/{{preset}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/train_windows/{{preset}}/{{dataset}}.tsv"
    wildcard_constraints:
        preset="|".join(map(re.escape, WINDOW_NETWORKS)) or "(?!)",
        dataset="(?!multitask/)[^/]+",
    conda:
        "../envs/models.yaml"
    threads: config["threads"]["deepbind"]
    resources:
        mem_mb=grown(2000),
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=GPUS,
        # No params, since a change of these must not train again.
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
        tensorboard=int(config["training"]["tensorboard"]),
    params:
        settings=lambda wildcards: config["models"]["settings"].get(wildcards.preset, {}),
        seed=config["seed"],
        negatives=config["negatives"]["train_negatives_per_positive"],
        loss=config["models"]["score_loss"],
        hardware=HARDWARE,
        folders=[f"{RESULTS}/checkpoints", f"{LOGS}/tensorboard"],
        library=library("train_windows.py"),
    script:
        "../workflow_scripts/train_windows.py"
