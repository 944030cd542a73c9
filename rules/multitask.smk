# The genome in bins with one label a dataset, and the multi-task networks on them.


rule label_bins:
    input:
        peaks=[locate(DATASETS[d]["path"]) for d in config["multitask"]["datasets"]],
        genome=rules.encode_genome.output.genome,
        aliases=tables(config["genome"]["chromosome_aliases"]),
        excluded=given(*config["genome"]["excluded"]),
    output:
        store=f"{RESULTS}/multitask/bins.safetensors",
        qc=report(
            f"{RESULTS}/multitask/qc.tsv",
            caption="../report/qc.rst",
            category="Sequences",
            labels={"dataset": "multitask"},
        ),
    log:
        f"{LOGS}/label_bins.log",
    benchmark:
        f"{BENCHMARKS}/label_bins.tsv"
    conda:
        "../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=60,
    params:
        names=config["multitask"]["datasets"],
        rules=config["multitask"],
        ignored=config["genome"]["ignored_chromosomes"],
        splits=config["splits"],
        max_unknown=config["windows"]["max_unknown"],
        seed=config["seed"],
        library=library("label_bins.py"),
    script:
        "../workflow_scripts/label_bins.py"


rule train_multitask:
    input:
        store=rules.label_bins.output.store,
        genome=rules.encode_genome.output.genome,
        motifs=start_motifs,
    output:
        weights=f"{RESULTS}/models/{{preset}}/multitask/weights.safetensors",
        history=f"{RESULTS}/models/{{preset}}/multitask/history.tsv",
        # Times differ from run to run, which results do not.
        plan=report(
            f"{LOGS}/plans/{{preset}}/multitask.tsv",
            caption="../report/plan.rst",
            category="Training",
            labels={"dataset": "multitask", "model": "{preset}", "table": "cost"},
        ),
        curve=report(
            f"{RESULTS}/models/{{preset}}/multitask/history.svg",
            caption="../report/history.rst",
            category="Training",
            labels={"dataset": "multitask", "model": "{preset}"},
        ),
    log:
        f"{LOGS}/train_multitask/{{preset}}.log",
    benchmark:
        f"{BENCHMARKS}/train_multitask/{{preset}}.tsv"
    wildcard_constraints:
        preset="|".join(map(re.escape, config["models"]["multitask"])) or "(?!)",
    conda:
        "../envs/models.yaml"
    threads: config["threads"]["multitask"]
    resources:
        mem_mb=multitask_memory,
        runtime=minutes_by_store(240, 10),
        gpu=GPUS,
        # No params, since a change of these must not train again.
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
        tensorboard=int(config["training"]["tensorboard"]),
    params:
        settings=lambda wildcards: config["models"]["settings"].get(wildcards.preset, {}),
        seed=config["seed"],
        hardware=HARDWARE,
        folders=[f"{RESULTS}/checkpoints", f"{LOGS}/tensorboard"],
        library=library("train_multitask.py"),
    script:
        "../workflow_scripts/train_multitask.py"


rule plan_multitask:
    input:
        store=rules.label_bins.output.store,
        genome=rules.encode_genome.output.genome,
        motifs=start_motifs,
    output:
        plan=f"{LOGS}/plans/{{preset}}/before.tsv",
    log:
        f"{LOGS}/plan_multitask/{{preset}}.log",
    wildcard_constraints:
        preset="|".join(map(re.escape, config["models"]["multitask"])) or "(?!)",
    conda:
        "../envs/models.yaml"
    threads: config["threads"]["multitask"]
    resources:
        mem_mb=multitask_memory,
        runtime=30,
        gpu=GPUS,
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
        tensorboard=0,
    params:
        settings=lambda wildcards: config["models"]["settings"].get(wildcards.preset, {}),
        seed=config["seed"],
        hardware=HARDWARE,
        folders=[f"{RESULTS}/checkpoints", f"{LOGS}/tensorboard"],
        library=library("plan_multitask.py"),
    script:
        "../workflow_scripts/plan_multitask.py"


rule predict_bins:
    input:
        store=rules.label_bins.output.store,
        genome=rules.encode_genome.output.genome,
        weights=f"{RESULTS}/models/{{preset}}/multitask/weights.safetensors",
    output:
        scores=f"{RESULTS}/models/{{preset}}/multitask/test_scores.safetensors",
    log:
        f"{LOGS}/predict_bins/{{preset}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_bins/{{preset}}.tsv"
    conda:
        "../envs/models.yaml"
    threads: config["threads"]["multitask"]
    resources:
        mem_mb=grown(4000),
        runtime=minutes_by_store(60, 5),
        gpu=GPU,
    params:
        device=config["device"],
        library=library("predict_bins.py"),
    script:
        "../workflow_scripts/predict_bins.py"


# snakemake plan: what the multi-task trainings would cost, before any is begun.
rule plan:
    input:
        expand(rules.plan_multitask.output.plan, preset=MULTITASK),
