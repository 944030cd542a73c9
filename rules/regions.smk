# The user's regions of the genome: their scores, haplotypes and every substitution in them.


rule score_regions:
    input:
        weights=weights_of(PRESETS[0], "{dataset}"),
        genome=rules.encode_genome.output.genome,
        bed=lambda wildcards: locate(config["regions"][wildcards.region]["bed"]),
        aliases=tables(config["genome"]["chromosome_aliases"]),
    output:
        scores=f"{RESULTS}/regions/{{region}}/{{dataset}}.tsv",
    log:
        f"{LOGS}/score_regions/{{region}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/score_regions/{{region}}/{{dataset}}.tsv"
    wildcard_constraints:
        region="|".join(map(re.escape, config["regions"])) or "(?!)",
        dataset=only(DNA),
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        library=library("score_regions.py"),
    script:
        "../workflow_scripts/score_regions.py"


rule build_haplotypes:
    input:
        variants=lambda wildcards: locate(config["regions"][wildcards.region]["variants"]),
        genome=rules.encode_genome.output.genome,
        bed=lambda wildcards: locate(config["regions"][wildcards.region]["bed"]),
        aliases=tables(config["genome"]["chromosome_aliases"]),
    output:
        table=report(
            f"{RESULTS}/regions/{{region}}/phased/haplotypes.tsv",
            caption="../report/haplotypes.rst",
            category="Regions",
            subcategory="{region}",
            labels={"table": "haplotypes"},
        ),
        arrays=f"{RESULTS}/regions/{{region}}/phased/haplotypes.safetensors",
        counts=f"{RESULTS}/regions/{{region}}/phased/counts.tsv",
    log:
        f"{LOGS}/build_haplotypes/{{region}}.log",
    benchmark:
        f"{BENCHMARKS}/build_haplotypes/{{region}}.tsv"
    wildcard_constraints:
        region="|".join(map(re.escape, PHASED)) or "(?!)",
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=120,
    params:
        library=library("build_haplotypes.py"),
    script:
        "../workflow_scripts/build_haplotypes.py"


rule score_haplotypes:
    input:
        weights=weights_of(PRESETS[0], "{dataset}"),
        genome=rules.encode_genome.output.genome,
        table=rules.build_haplotypes.output.table,
        arrays=rules.build_haplotypes.output.arrays,
    output:
        scores=report(
            f"{RESULTS}/regions/{{region}}/haplotypes/{{dataset}}.tsv",
            caption="../report/haplotype_scores.rst",
            category="Regions",
            subcategory="{region}",
            labels={"table": "haplotypes of {dataset}"},
        ),
    log:
        f"{LOGS}/score_haplotypes/{{region}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/score_haplotypes/{{region}}/{{dataset}}.tsv"
    wildcard_constraints:
        region="|".join(map(re.escape, PHASED)) or "(?!)",
        dataset=only(DNA),
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        library=library("score_haplotypes.py"),
    script:
        "../workflow_scripts/score_haplotypes.py"


rule mutate_regions:
    input:
        weights=weights_of(PRESETS[0], "{dataset}"),
        genome=rules.encode_genome.output.genome,
        bed=lambda wildcards: locate(config["regions"][wildcards.region]["bed"]),
        aliases=tables(config["genome"]["chromosome_aliases"]),
    output:
        table=f"{RESULTS}/regions/{{region}}/mutagenesis/{{dataset}}.tsv.gz",
        drawn=report(
            directory(f"{RESULTS}/regions/{{region}}/mutagenesis/drawn/{{dataset}}"),
            patterns=["{interval}.svg"],
            caption="../report/mutagenesis.rst",
            category="Regions",
            subcategory="{region}",
            labels={"figure": "{dataset}, interval {interval}"},
        ),
    log:
        f"{LOGS}/mutate_regions/{{region}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/mutate_regions/{{region}}/{{dataset}}.tsv"
    wildcard_constraints:
        region="|".join(map(re.escape, MUTATED)) or "(?!)",
        dataset=only(DNA),
    conda:
        "../envs/genome.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=120,
    params:
        drawn=config["attribution"]["drawn"],
        library=library("mutate_regions.py"),
    script:
        "../workflow_scripts/mutate_regions.py"
