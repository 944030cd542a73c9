# motifloom: TF binding data to trained sequence models and motifs.

from snakemake.utils import min_version

min_version("9.0")
# The built-in example, unless a config of one's own is given (with --configfile or as a module).
if not {"name", "datasets"} & set(config):

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/example.smk"
include: "rules/downloads.smk"
include: "rules/sequences.smk"
include: "rules/deepbind.smk"
include: "rules/baselines.smk"
include: "rules/multitask.smk"
include: "rules/evaluation.smk"
include: "rules/cross_validation.smk"
include: "rules/learning_curve.smk"
include: "rules/motifs.smk"
include: "rules/attribution.smk"
include: "rules/scores.smk"
include: "rules/variants.smk"
include: "rules/tracks.smk"
include: "rules/regions.smk"
include: "rules/sharing.smk"
include: "rules/report.smk"
include: "rules/provenance.smk"


report: "report/workflow.rst"


rule all:
    default_target: True
    input:
        f"{RESULTS}/metrics.tsv",
        f"{RESULTS}/comparisons.tsv",
        f"{RESULTS}/calibration.tsv",
        f"{RESULTS}/bands.tsv",
        f"{RESULTS}/matches.tsv",
        f"{RESULTS}/motif_summary.tsv",
        f"{RESULTS}/families.tsv",
        f"{RESULTS}/report.html",
        ATTRIBUTIONS,
        SCORES,
        VARIANTS,
        TRACKS,
        REGIONS,
        SHARED,
        CROSS_VALIDATION,
        LEARNING_CURVE,
        rules.write_provenance.output,


localrules:
    all,
    collect_metrics,
    collect_matches,
    collect_motif_summaries,
    collect_calibration,
    collect_comparisons,
    compute_bands,
    draw_comparison,
    assign_folds,
    collect_folds,
    collect_sites,
