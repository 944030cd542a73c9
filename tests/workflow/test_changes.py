"""What runs again after a change: the jobs it touches and no other; see test_reruns.py too."""

import ast
import re

import pytest
from projects import Project, copy_source
from reruns import NEW

OF_METRICS = {"collect_metrics", "collect_comparisons", "collect_calibration", "compute_bands"}
OF_MOTIFS = {"collect_matches", "collect_motif_summaries", "cluster_motifs"}
SUMMARIES = OF_METRICS | OF_MOTIFS | {"draw_comparison", "write_report", "write_provenance", "all"}
# Rules that the tiny project has no job of.
IDLE = {
    "simulate_example",
    "simulate_variants",
    "download",
    "score_sequences",
    "annotate_variants",
    "score_regions",
    "build_haplotypes",
    "score_haplotypes",
    "mutate_regions",
    "export_onnx",
    "assign_folds",
    "collect_folds",
    "fit_lsgkm",
    "train_windows",
    "plan_multitask",
    "discover_modisco",
    "collect_learning_curve",
    "scan_chromosomes",
    "scan_shuffled",
    "write_track",
    "call_sites",
    "evaluate_sites",
    "collect_sites",
}
JOBS_OF_NEW = {
    "extract_windows NEW",
    "train_deepbind deepbind NEW",
    "fit_kmer NEW",
    "evaluate_windows NEW",
    "examine_windows NEW",
    "attribute_sequences NEW",
    "export_motifs deepbind NEW",
    "annotate_motifs deepbind NEW",
    "share_model deepbind NEW",
}


WINDOW_JOBS = ("train_windows", "export_motifs", "annotate_motifs", "share_model")
KERNEL_JOBS = ("export_motifs", "annotate_motifs", "share_model")


def test_a_new_dataset_runs_its_own_jobs_only(copy):
    copy.datasets.append(NEW)
    assert copy.plan().jobs == JOBS_OF_NEW | SUMMARIES


def test_a_new_dataset_in_the_middle_does_too(copy):
    copy.datasets.insert(1, NEW)
    assert copy.plan().jobs == JOBS_OF_NEW | SUMMARIES


def test_a_new_multitask_dataset_also_trains_the_multitask_model(copy):
    copy.datasets.append(NEW)
    copy.config["multitask"]["datasets"].append("NEW")
    jobs_of_danq = {"train_multitask danq", "predict_bins danq", "label_bins", "describe_networks"}
    jobs_of_danq |= {f"{rule} danq multitask" for rule in KERNEL_JOBS}
    jobs_of_danq |= {f"evaluate_bins {name}" for name in ("GATA1", "SPI1.rep-2+b", "NEW")}
    assert copy.plan().jobs == JOBS_OF_NEW | jobs_of_danq | SUMMARIES


def test_a_baseline_more_is_fitted_and_reported_where_labels_are_binary(copy):
    copy.config["baselines"] = {"lsgkm": True}
    names = ("GATA1", "SPI1.rep-2+b", "MYC")
    rules = ("fit_lsgkm", "evaluate_windows", "examine_windows", "share_model deepbind")
    jobs = {f"{rule} {name}" for rule in rules for name in names}
    assert copy.plan().jobs == jobs | SUMMARIES - OF_MOTIFS


def test_a_comparison_network_trains_on_every_dataset(copy):
    copy.config["models"]["windows"] = ["resnet"]
    names = [row[0] for row in copy.datasets]
    jobs = {f"{rule} resnet {name}" for rule in WINDOW_JOBS for name in names}
    rules = ("evaluate_windows", "examine_windows", "share_model deepbind")
    jobs |= {f"{rule} {name}" for rule in rules for name in names}
    assert copy.plan().jobs == jobs | SUMMARIES


def test_another_multitask_network_trains_alone(copy):
    copy.config["models"]["multitask"] = ["danq", "cnn"]
    copy.config["models"]["settings"]["cnn"] = copy.config["models"]["settings"]["danq"] | {
        "lstm_units": 0
    }
    jobs = {"train_multitask cnn", "predict_bins cnn", "describe_networks"}
    jobs |= {f"{rule} cnn multitask" for rule in KERNEL_JOBS} | {"share_model danq multitask"}
    jobs |= {f"evaluate_bins {name}" for name in ("GATA1", "SPI1.rep-2+b")}
    assert copy.plan().jobs == jobs | SUMMARIES - {"collect_calibration"}


def test_another_known_motif_trains_nothing_again(copy):
    copy.datasets[0] = (*copy.datasets[0][:-1], "data/motifs.meme#SPI1")
    judged = {f"{rule} GATA1" for rule in ("evaluate_windows", "examine_windows", "evaluate_bins")}
    models = ("deepbind GATA1", "danq multitask")
    judged |= {f"{rule} {model}" for rule in ("annotate_motifs", "share_model") for model in models}
    assert copy.plan().jobs == judged | SUMMARIES - {"cluster_motifs"}


@pytest.mark.parametrize(
    ("module", "untouched"),
    [
        ("negatives", {"encode_genome", "prepare_database"}),
        ("bins", {"extract_windows", "encode_sequences", "train_deepbind", "evaluate_windows"}),
        ("databases", {"extract_windows", "label_bins", "train_deepbind", "train_multitask"}),
        ("example", {"encode_genome", "extract_windows", "collect_metrics"}),
    ],
)
def test_an_edited_library_module_reruns_the_rules_that_import_it(
    finished, tmp_path, module, untouched
):
    edited = copy_source(finished.source, tmp_path / "source")
    with open(edited / f"workflow_scripts/motifloom/{module}.py", "a") as stream:
        stream.write("\n# An edit.\n")
    result = Project(finished.folder, edited).call("--cores", "2", "--dry-run", hash_seed=4)
    assert result.returncode == 0
    users = {rule for rule, modules in imports_by_rule(edited).items() if module in modules}
    users -= IDLE
    listed = re.search(r"Rules with provenance triggered jobs: (.*)", result.output)
    # The page's template lies with the workflow, which lies elsewhere now.
    triggered = set(listed[1].split()) - {"write_report"}
    assert triggered <= users
    assert users <= result.rules
    assert not untouched & result.rules
    assert bool(triggered) == bool(users)


def imports_by_rule(source):
    """Rule -> library modules that its script imports, directly or through others."""
    scripts = source / "workflow_scripts"
    imported = {path.stem: imports_of(path) for path in (scripts / "motifloom").glob("*.py")}
    found = {}
    for path in (source / "rules").glob("*.smk"):
        rules = re.findall(
            r'^rule (\w+):.*?"\.\./workflow_scripts/(\w+\.py)"\n*(?=\n\S|\Z)',
            path.read_text(),
            re.MULTILINE | re.DOTALL,
        )
        for rule, script in rules:
            waiting, reached = imports_of(scripts / script), set()
            while waiting:
                reached |= waiting
                waiting = set().union(*(imported[name] for name in waiting)) - reached
            found[rule] = reached
    return found


def imports_of(path):
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    whole = {alias.name for n in nodes if n.module == "motifloom" for alias in n.names}
    parts = {n.module for n in nodes if n.module and n.module.startswith("motifloom.")}
    return whole | {module.removeprefix("motifloom.") for module in parts}
