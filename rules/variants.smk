# The user's variants, annotated with what they do to binding.


rule annotate_variants:
    input:
        variants=lambda wildcards: locate(config["variants"]["files"][wildcards.variants]),
        genome=rules.encode_genome.output.genome,
        weights=lambda wildcards: [
            weights_of(wildcards.model, name) for name in variant_datasets(wildcards.model)
        ],
        calibrations=lambda wildcards: [
            f"{RESULTS}/evaluation/{name}/calibration.json"
            for name in variant_datasets(wildcards.model)
            if name != "multitask"
        ],
        aliases=tables(config["genome"]["chromosome_aliases"]),
    output:
        vcf=f"{RESULTS}/variants/{{variants}}/{{model}}.vcf.gz",
        vcf_index=f"{RESULTS}/variants/{{variants}}/{{model}}.vcf.gz.tbi",
        table=f"{RESULTS}/variants/{{variants}}/{{model}}.tsv.gz",
        table_index=f"{RESULTS}/variants/{{variants}}/{{model}}.tsv.gz.tbi",
        top=report(
            f"{RESULTS}/variants/{{variants}}/{{model}}.top.tsv",
            caption="../report/strongest.rst",
            category="Variants",
            labels={"file": "{variants}", "model": "{model}"},
        ),
        skipped=f"{RESULTS}/variants/{{variants}}/{{model}}.skipped.tsv",
        summary=report(
            f"{RESULTS}/variants/{{variants}}/{{model}}.summary.tsv",
            caption="../report/variants.rst",
            category="Variants",
            labels={"file": "{variants}", "model": "{model}"},
        ),
    log:
        f"{LOGS}/annotate_variants/{{variants}}/{{model}}.log",
    benchmark:
        f"{BENCHMARKS}/annotate_variants/{{variants}}/{{model}}.tsv"
    wildcard_constraints:
        variants="|".join(map(re.escape, config["variants"]["files"])) or "(?!)",
    conda:
        "../envs/genome.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=variant_minutes,
    params:
        datasets=lambda wildcards: variant_datasets(wildcards.model),
        ignored=config["genome"]["ignored_chromosomes"],
        shifts=config["variants"]["shifts"],
        n_null=config["variants"]["null_variants"],
        mismatches=config["variants"]["mismatches"],
        seed=config["seed"],
        library=library("annotate_variants.py"),
    script:
        "../workflow_scripts/annotate_variants.py"
