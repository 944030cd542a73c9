# The pages a reader opens: one self-contained report, and what `snakemake --report` collects.


rule draw_comparison:
    input:
        metrics=rules.collect_metrics.output[0],
    output:
        figure=report(
            f"{RESULTS}/evaluation/comparison.svg",
            caption="../report/comparison.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/draw_comparison.log",
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("draw_comparison.py"),
    script:
        "../workflow_scripts/draw_comparison.py"


# What the report page reads of the results, in any order; what is absent it leaves out.
REPORTED = [
    rules.collect_metrics.output[0],
    rules.collect_matches.output[0],
    rules.draw_comparison.output.figure,
    rules.describe_networks.output.table,
    rules.describe_networks.output.figure,
    rules.prepare_database.output.meme,
    *expand(
        f"{RESULTS}/{{table}}.tsv",
        table=["comparisons", "calibration", "bands", "motif_summary", "families"],
    ),
    f"{RESULTS}/families/families.meme",
    *expand(f"{RESULTS}/sequences/{{dataset}}/qc.tsv", dataset=DATASETS),
    *expand(
        "{folder}/{file}",
        folder=[f"{RESULTS}/motifs/{model}/{dataset}" for model, dataset in trained_models()],
        file=["motifs.meme", "motifs.tsv", "positions.tsv", "summary.tsv"],
    ),
    *expand(rules.evaluate_windows.output.figure, dataset=DATASETS),
    *expand(
        f"{RESULTS}/evaluation/{{dataset}}/{{file}}",
        dataset=DATASETS,
        file=[
            "calibration.svg",
            "distributions.svg",
            "composition.svg",
            "composition.tsv",
            "reliability.tsv",
        ],
    ),
    *expand(
        f"{RESULTS}/attribution/{{dataset}}/{{file}}",
        dataset=DATASETS,
        file=["sequences.tsv", "attributions.safetensors"] if ATTRIBUTIONS else [],
    ),
    *expand(f"{RESULTS}/models/{PRESETS[0]}/{{dataset}}/card.json", dataset=DATASETS),
    *CROSS_VALIDATION,
    *LEARNING_CURVE,
    *TRACKS,
    *expand(
        f"{RESULTS}/variants/{{variants}}/{{model}}.{{table}}.tsv",
        variants=config["variants"]["files"],
        model=VARIANT_MODELS,
        table=["summary", "top"],
    ),
]


rule write_report:
    input:
        # As plain text: of what names its rule Snakemake compares every file with every other.
        results=[str(path) for path in REPORTED],
        templates=[
            workflow.source_path(f"../report/{name}")
            for name in [
                "page.html.jinja",
                "section.html.jinja",
                "macros.html.jinja",
                "page.css",
                "page.js",
                "logos.js",
                "charts.js",
            ]
        ],
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/page.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/write_report.log",
    benchmark:
        f"{BENCHMARKS}/write_report.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        sheet=list(DATASETS.values()),
        models=trained_models(),
        config=config,
        library=library("write_report.py"),
    script:
        "../workflow_scripts/write_report.py"
