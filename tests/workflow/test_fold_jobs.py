"""Cross-validation in three folds: peaks over chromosomes, probes over clusters."""

import csv

import pandas as pd
import pytest
from projects import CONFIG, Project, copy_tree, make_project, once

from motifloom.evaluation import ONE_CLASS
from motifloom.store import SequenceStore

FOLDS = (1, 2, 3)
SUMMARY = "results/tiny/cross_validation.tsv"
NEW = ("NEW", "SPI1", "peaks", "data/SPI1.bed.gz", "", "dna", "binary", "")
FIXED = ("FIXED", "X", "sequences", "data/selex.tsv", "data/selex.tsv", "dna", "score", "")


def crossed(project: Project) -> Project:
    """The project with three folds, its peaks of MYC (none on chr2) and its probes."""
    project.config["cross_validation"] = {"folds": 3}
    project.config["multitask"]["datasets"] = []
    project.config["models"]["settings"]["deepbind"]["members"] = 1
    project.datasets = [row for row in project.datasets if row[0] in ("MYC", "selex")]
    return project


@pytest.fixture(scope="module")
def finished(tmp_path_factory, source) -> Project:
    """A project whose cross-validation has ended; tests only read it."""

    def make(folder):
        result = crossed(make_project(folder, source)).run(SUMMARY)
        assert result.returncode == 0, result.output

    return crossed(Project(once(tmp_path_factory, "a cross-validation", make), source))


def tables(project):
    """The summary and the metrics of the folds, missing text as ""."""
    paths = (project.folder / SUMMARY, project.results / "cross_validation/metrics.tsv")
    frames = [pd.read_csv(path, sep="\t", keep_default_na=True) for path in paths]
    return [frame.fillna({"note": "", "negatives": ""}) for frame in frames]


def held_out(project, dataset):
    """Of each fold the (chromosome, start, bases) of the examples tested, negatives aside."""
    found = []
    for fold in FOLDS:
        path = project.results / f"cross_validation/fold{fold}/sequences/{dataset}"
        store = SequenceStore.open(path / "sequences.safetensors")
        names = [*store.info["chromosomes"], ""]
        rows = store.rows("test", ("site", "given"))
        found.append(
            [(names[store.chrom[i]], int(store.start[i]), store.codes[i].tobytes()) for i in rows]
        )
    return found


def test_chromosomes_are_dealt_into_the_folds(finished):
    with open(finished.results / "cross_validation/folds.tsv", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    assert rows == [
        ["fold", "chromosome", "bases"],
        ["1", "chr1", "40000"],
        ["1", "chr4", "40000"],
        ["2", "chr2", "40000"],
        ["3", "chr3", "40000"],
    ]


def test_every_site_is_tested_in_exactly_one_fold(finished):
    sites = held_out(finished, "MYC")
    chromosomes = [{chrom for chrom, _, _ in fold} for fold in sites]
    assert chromosomes == [{"chr1", "chr4"}, set(), {"chr3"}]
    assert [len(fold) for fold in sites] == [70, 0, 35]
    assert len({site for fold in sites for site in fold}) == 105
    probes = held_out(finished, "selex")
    assert [len(fold) for fold in probes] == [40, 40, 40]
    assert len({probe for fold in probes for probe in fold}) == 120


def test_the_summary_is_the_mean_and_spread_of_the_folds(finished):
    summary, metrics = tables(finished)
    assert set(summary.model) == {"deepbind", "kmer", "pwm"}  # one member: no deepbind-single
    for row in summary.itertuples():
        own = metrics[
            (metrics.dataset == row.dataset)
            & (metrics.model == row.model)
            & (metrics.negatives == row.negatives)
        ]
        for score in ("auroc", "auprc", "pearson", "spearman"):
            values = own[score].dropna()
            expected = [values.mean(), values.std(ddof=1), values.min(), values.max()]
            found = [getattr(row, f"{score}_{name}") for name in ("mean", "sd", "min", "max")]
            assert found == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert summary[summary.dataset == "selex"].pearson_sd.notna().all()


def test_a_fold_without_sites_is_noted_and_the_run_goes_on(finished):
    summary, metrics = tables(finished)
    sites = summary[summary.dataset == "MYC"]
    found = sorted(zip(sites.model, sites.negatives, strict=True))
    assert found == [(m, n) for m in ("deepbind", "kmer") for n in ("dinucleotide", "gc")]
    assert set(sites.folds) == {2}
    assert set(sites.note) == {"no value in fold 2"}
    empty = metrics[(metrics.dataset == "MYC") & (metrics.fold == 2)]
    assert empty.auroc.isna().all()
    assert empty.note.tolist() == [ONE_CLASS] * 2
    # With fold 3 tested and fold 1 for validation only the empty one is left to train on.
    qc = pd.read_csv(finished.results / "cross_validation/fold3/sequences/MYC/qc.tsv", sep="\t")
    lent = qc[qc.stage == "trained on for want of others"]
    assert lent[["count", "note"]].to_numpy().tolist() == [[70, "validation sites"]]


def test_a_second_call_has_nothing_to_do(finished):
    result = finished.call("--cores", "2", "--dry-run", SUMMARY, hash_seed=3)
    assert result.returncode == 0
    assert "Nothing to be done" in result.output, sorted(result.jobs)


def test_a_new_dataset_runs_its_own_folds_only(finished, tmp_path):
    copy = crossed(Project(copy_tree(finished.folder, tmp_path / "copy"), finished.source))
    # A table with a test file of its own takes no part.
    copy.datasets[1:1] = [NEW, FIXED]
    jobs = copy.plan(SUMMARY).jobs
    rules = ("extract_fold", "train_fold", "fit_kmer_fold", "evaluate_fold")
    assert {job.split()[0] for job in jobs} == {*rules, "collect_folds"}
    assert len(jobs) == len(rules) * len(FOLDS) + 1
    assert all("NEW" in job.split() for job in jobs if job != "collect_folds")


def test_a_whole_run_asks_for_all_folds(project):
    jobs = crossed(project).plan().jobs
    folds = {"extract_fold", "encode_fold", "train_fold", "fit_kmer_fold", "evaluate_fold"}
    found = [job.split()[0] for job in jobs if job.split()[0] in folds]
    assert set(found) == folds
    assert len(found) == 2 * 4 * len(FOLDS)
    assert {"assign_folds", "collect_folds", "write_report"} <= jobs


def test_without_the_key_no_fold_is_planned(project):
    assert "cross_validation" not in CONFIG
    assert not [rule for rule in project.plan().rules if rule.endswith(("_fold", "_folds"))]


@pytest.mark.parametrize("folds", [0, 1])
def test_none_and_one_are_off(project, folds):
    project.config["cross_validation"] = {"folds": folds}
    result = project.plan()
    assert result.returncode == 0
    assert "collect_folds" not in result.rules


@pytest.mark.parametrize(
    ("folds", "datasets", "message"),
    [
        (2, None, "cross_validation: folds is 2, but one fold is for the test"),
        (-1, None, "cross_validation: folds: -1 is less than the minimum of 0"),
        (3, [FIXED], "cross_validation: folds is 3, but every dataset has a test file of its own"),
    ],
)
def test_folds_that_cannot_be_are_refused(project, folds, datasets, message):
    project.config["cross_validation"] = {"folds": folds}
    project.config["multitask"]["datasets"] = []
    project.datasets = datasets or project.datasets
    result = project.plan()
    assert result.returncode == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_more_folds_than_chromosomes_are_refused(project):
    project.config["cross_validation"] = {"folds": 4}
    project.config["genome"]["ignored_chromosomes"] = ["chr4"]
    result = project.run("results/tiny/cross_validation/folds.tsv")
    assert result.returncode == 1
    message = "error: cross_validation: folds is 4, but the genome has 3 chromosomes beside genome:"
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (project.results / "cross_validation/folds.tsv").exists()
