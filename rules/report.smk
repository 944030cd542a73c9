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


rule write_report:
    input:
        metrics=rules.collect_metrics.output[0],
        matches=rules.collect_matches.output[0],
        motif_summary=rules.collect_motif_summaries.output[0],
        families=rules.cluster_motifs.output.table,
        comparison=rules.draw_comparison.output.figure,
        networks=rules.describe_networks.output.table,
        networks_figure=rules.describe_networks.output.figure,
        curves=expand(rules.evaluate_windows.output.figure, dataset=DATASETS.index),
        qc=[f"{RESULTS}/sequences/{dataset}/qc.tsv" for dataset in DATASETS.index],
        logos=[f"{RESULTS}/motifs/{model}/{dataset}/logos" for model, dataset in trained_models()],
        cross_validation=CROSS_VALIDATION,
        template=workflow.source_path("../report/page.html.jinja"),
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/page.rst",
            category="Summary",
        ),
    log:
        f"{LOGS}/write_report.log",
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        sheet=DATASETS.to_dict("list"),
        models=trained_models(),
        config=config,
        library=library("write_report.py"),
    script:
        "../workflow_scripts/write_report.py"
