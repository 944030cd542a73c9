# Trained models as others load them: a card, motifs and, where asked for, ONNX beside the weights.


rule share_model:
    input:
        weights=f"{RESULTS}/models/{{model}}/{{dataset}}/weights.safetensors",
        history=f"{RESULTS}/models/{{model}}/{{dataset}}/history.tsv",
        motifs=f"{RESULTS}/motifs/{{model}}/{{dataset}}/motifs.meme",
        store=lambda wildcards: (
            rules.label_bins.output.store
            if wildcards.dataset == "multitask"
            else f"{RESULTS}/sequences/{wildcards.dataset}/sequences.safetensors"
        ),
        genome=lambda wildcards: (
            rules.encode_genome.output.genome if on_genome(wildcards.dataset) else []
        ),
        metrics=own_metrics,
        calibration=own_calibration,
    output:
        card=f"{RESULTS}/models/{{model}}/{{dataset}}/card.json",
        motifs=f"{RESULTS}/models/{{model}}/{{dataset}}/motifs.meme",
    log:
        f"{LOGS}/share_model/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/share_model/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=20,
    params:
        about=lambda wildcards: {
            "name": wildcards.model,
            "lines": [DATASETS[name] for name in datasets_of(wildcards)],
            "splits": config["splits"],
            "genome_file": os.path.basename(config["genome"]["fasta"]),
            "licence": config["share"]["licence"],
        },
        library=library("share_model.py"),
    script:
        "../workflow_scripts/share_model.py"


rule export_onnx:
    input:
        weights=f"{RESULTS}/models/{{model}}/{{dataset}}/weights.safetensors",
    output:
        onnx=f"{RESULTS}/models/{{model}}/{{dataset}}/model.onnx",
    log:
        f"{LOGS}/export_onnx/{{model}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/export_onnx/{{model}}/{{dataset}}.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=20,
    params:
        library=library("export_onnx.py"),
    script:
        "../workflow_scripts/export_onnx.py"
