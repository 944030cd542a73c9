# The built-in example: a simulated genome, binding experiments on it, and the truth behind them.


rule simulate_example:
    output:
        genome="results/example/simulated/genome.fa.gz",
        peaks=expand(
            "results/example/simulated/peaks/{dataset}.narrowPeak",
            dataset=["CTCF", "REST", "GATA1", "MYC_MAX", "SPI1", "TP53"],
        ),
        selex="results/example/simulated/selex.tsv",
        rna="results/example/simulated/rna.fa",
        motifs="results/example/simulated/motifs.meme",
        truth="results/example/simulated/truth.tsv",
    log:
        "logs/example/simulate_example.log",
    conda:
        "../envs/motifs.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        seed=config["seed"],
        library=library("simulate_example.py"),
    script:
        "../workflow_scripts/simulate_example.py"


rule simulate_variants:
    input:
        genome=rules.simulate_example.output.genome,
        truth=rules.simulate_example.output.truth,
    output:
        vcf="results/example/simulated/variants.vcf.gz",
        truth="results/example/simulated/variants_truth.tsv",
    log:
        "logs/example/simulate_variants.log",
    conda:
        "../envs/motifs.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        seed=config["seed"],
        library=library("simulate_variants.py"),
    script:
        "../workflow_scripts/simulate_variants.py"
