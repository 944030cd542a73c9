"""Whole runs on the tiny project: what they write, that they end, and that they repeat."""

import csv
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

from projects import CONFIG, DATASETS, MEME

from motifloom.evaluation import METRIC_COLUMNS, ONE_CLASS
from motifloom.freezing import check_run
from motifloom.matches import MATCH_COLUMNS, SUMMARY_COLUMNS
from motifloom.provenance import read_checksums, read_provenance

NAMES = [row[0] for row in DATASETS]
MULTITASK = CONFIG["multitask"]["datasets"]
MODELS = [("deepbind", name) for name in NAMES] + [("danq", "multitask")]


# Pictures, as many as there is to draw.
DRAWN = (
    r"motifs/\w+/[^/]+/logos/\w+(\.pair)?\.(svg|png)",
    r"families/logos/\w+\.(svg|png)",
    r"attribution/[^/]+/drawn/\d+\.svg",
)


def read_rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def files_below(folder):
    """Paths of all files, without those that Snakemake puts into folders it has as outputs."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)) for p in paths if p.name != ".snakemake_timestamp"}


def expected_outputs():
    """Every file of results/<name>/ that has a fixed name."""
    expected = {"metrics.tsv", "matches.tsv", "report.html", "evaluation/comparison.svg"}
    expected |= {"architecture.tsv", "architecture.svg"}
    expected |= {"genome/genome.safetensors", "genome/chrom.sizes", "motifs/database.meme"}
    expected |= {"multitask/bins.safetensors", "multitask/qc.tsv"}
    expected |= {"models/danq/multitask/test_scores.safetensors"}
    expected |= {"comparisons.tsv", "calibration.tsv", "bands.tsv", "motif_summary.tsv"}
    expected |= {"families.tsv", "families/members.tsv", "families/families.meme"}
    expected |= {"provenance.json", "checksums.sha256"}
    attributed = ("sequences.tsv", "attributions.safetensors")
    expected |= {f"attribution/{name}/{file}" for name in NAMES for file in attributed}
    judged = ("bins.metrics.tsv", "bins.comparisons.tsv")
    expected |= {f"evaluation/{name}/{file}" for name in MULTITASK for file in judged}
    for name in NAMES:
        expected |= {f"sequences/{name}/{file}" for file in ("sequences.safetensors", "qc.tsv")}
        fitted = ("test_scores.safetensors", "choice.tsv", "weights.tsv")
        expected |= {f"baselines/kmer/{name}/{file}" for file in fitted}
        windows = ("windows.metrics.tsv", "windows.curves.tsv", "windows.svg")
        windows += ("scores.safetensors", "comparisons.tsv", "reliability.tsv", "calibration.json")
        examined = ("calibration", "composition", "distributions")
        windows += tuple(f"{file}.{suffix}" for file in examined for suffix in ("tsv", "svg"))
        expected |= {f"evaluation/{name}/{file}" for file in windows}
    for model, name in MODELS:
        trained = ("weights.safetensors", "history.tsv", "history.svg")
        if model == "deepbind":
            trained += ("search.tsv", "trainings.tsv")
        shared = ("card.json", "motifs.meme")
        expected |= {f"models/{model}/{name}/{file}" for file in trained + shared}
        read_off = ("kernels.meme", "kernels.tsv", "positions.tsv", "matches.tsv", "summary.tsv")
        read_off += tuple(f"motifs.{form}" for form in ("meme", "jaspar", "transfac", "tsv"))
        expected |= {f"motifs/{model}/{name}/{file}" for file in read_off}
    return expected


def test_every_output_is_there_and_nothing_else(finished):
    found = files_below(finished.results)
    drawn = {name for name in found if any(re.fullmatch(one, name) for one in DRAWN)}
    assert found - drawn == expected_outputs()
    assert all((finished.results / name).stat().st_size for name in found)
    assert all((finished.results / f"motifs/{m}/{d}/logos").is_dir() for m, d in MODELS)


def test_metrics_have_a_row_for_every_model_and_kind_of_example(finished):
    rows = read_rows(finished.results / "metrics.tsv")
    assert tuple(rows[0]) == METRIC_COLUMNS
    expected = set()
    for name in MULTITASK:
        for model in ("deepbind", "deepbind-single", "kmer", "pwm"):
            expected |= {(name, model, "windows", kind) for kind in ("dinucleotide", "gc")}
        for model in ("deepbind", "danq", "pwm"):
            expected |= {(name, model, examples, "bins") for examples in ("bins", "bins-all")}
    unmatched = ("deepbind", "deepbind-single", "kmer")
    expected |= {("MYC", model, "windows", "dinucleotide") for model in unmatched}
    scored = ("deepbind", "deepbind-single", "kmer", "pwm")
    expected |= {("selex", model, "windows", "none") for model in scored}
    found = [(row["dataset"], row["model"], row["examples"], row["negatives"]) for row in rows]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_metrics_are_numbers_within_their_range(finished):
    for row in read_rows(finished.results / "metrics.tsv"):
        if row["dataset"] in MULTITASK:
            assert 0 <= float(row["auroc_low"]) <= float(row["auroc_high"]) <= 1
            assert 0 <= float(row["auprc"]) <= 1
            assert 0 < int(row["n_positive"]) < int(row["n"])
            assert row["pearson"] == row["mse"] == "NA"
        elif row["dataset"] == "selex":
            assert -1 <= float(row["spearman"]) <= 1
            assert row["auroc"] == "NA"
        members = {"deepbind": "2"}.get(row["model"], "1")
        assert row["members"] == members
        if row["dataset"] in MULTITASK:
            assert (row["auroc_members_sd"] != "NA") == (members == "2")


def test_all_bins_are_more_than_the_sampled_ones(finished):
    rows = read_rows(finished.results / "evaluation/GATA1/bins.metrics.tsv")
    count = {row["examples"]: int(row["n"]) for row in rows}
    positive = {row["examples"]: int(row["n_positive"]) for row in rows}
    assert count["bins"] < count["bins-all"]
    assert positive["bins"] == positive["bins-all"]


def test_the_planted_motif_finds_its_windows(finished):
    rows = read_rows(finished.results / "evaluation/GATA1/windows.metrics.tsv")
    assert all(float(row["auroc"]) > 0.9 for row in rows if row["model"] == "pwm")


def test_a_dataset_without_test_peaks_is_noted_and_the_run_goes_on(finished):
    rows = [r for r in read_rows(finished.results / "metrics.tsv") if r["dataset"] == "MYC"]
    assert len(rows) == 3
    for row in rows:
        assert (row["n"], row["auroc"], row["auprc_high"]) == ("0", "NA", "NA")
        assert row["note"] == ONE_CLASS
    counts = {row["stage"]: row["count"] for row in qc_of(finished, "MYC")}
    assert counts["test sites"] == "0"


def qc_of(project, dataset):
    return read_rows(project.results / f"sequences/{dataset}/qc.tsv")


def test_qc_counts_what_was_read(finished):
    for name, expected in (("GATA1", "140"), ("SPI1.rep-2+b", "140"), ("MYC", "105")):
        first = qc_of(finished, name)[0]
        assert (first["stage"], first["count"]) == ("peaks read", expected)


def test_every_kernel_of_every_model_is_listed(finished):
    for model, name in MODELS:
        rows = read_rows(finished.results / f"motifs/{model}/{name}/kernels.tsv")
        # One member or two, of eight kernels each.
        assert len({row["kernel"] for row in rows}) == len(rows)
        assert len(rows) in {8, 16}


def test_matches_list_every_motif_by_rank(finished):
    rows = read_rows(finished.results / "matches.tsv")
    assert tuple(rows[0]) == MATCH_COLUMNS
    listed = [(row["model"], row["dataset"], row["kernel"], row["rank"]) for row in rows]
    assert len(set(listed)) == len(listed)
    motifs = {
        (model, name, row["kernel"])
        for model, name in MODELS
        for row in read_rows(finished.results / f"motifs/{model}/{name}/motifs.tsv")
    }
    assert {one[:3] for one in listed if one[3] == "1"} == motifs


def test_matches_stand_beside_those_of_chance(finished):
    rows = read_rows(finished.results / "motif_summary.tsv")
    assert tuple(rows[0]) == SUMMARY_COLUMNS
    assert [(row["model"], row["dataset"]) for row in rows] == MODELS
    assert all(float(row["matched_by_chance"]) >= 0 for row in rows)


class Text(HTMLParser):
    """The text of a page, and the tags left open at its end."""

    def __init__(self):
        super().__init__()
        self.text, self.open = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("html", "body", "table", "section", "script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_opens_and_names_every_dataset(finished):
    page = Text()
    page.feed((finished.results / "report.html").read_text(encoding="utf-8"))
    page.close()
    text = " ".join(page.text)
    assert page.open == []
    assert all(name in text for name in NAMES)
    assert ONE_CLASS in text


def test_logs_and_benchmarks_are_written(finished):
    rules = {
        "extract_windows": ["GATA1", "SPI1.rep-2+b", "MYC"],
        "encode_sequences": ["selex"],
        "train_deepbind": [f"deepbind/{name}" for name in NAMES],
        "fit_kmer": NAMES,
        "train_multitask": ["danq"],
        "predict_bins": ["danq"],
        "evaluate_windows": NAMES,
        "evaluate_bins": MULTITASK,
        "export_motifs": [f"{model}/{name}" for model, name in MODELS],
        "annotate_motifs": [f"{model}/{name}" for model, name in MODELS],
        "share_model": [f"{model}/{name}" for model, name in MODELS],
        "examine_windows": NAMES,
        "attribute_sequences": NAMES,
    }
    jobs = {f"{rule}/{job}" for rule, jobs in rules.items() for job in jobs}
    jobs |= {"encode_genome", "label_bins", "prepare_database", "describe_networks"}
    summaries = {"collect_metrics", "collect_matches", "draw_comparison", "write_report"}
    summaries |= {"collect_comparisons", "collect_calibration", "compute_bands"}
    summaries |= {"collect_motif_summaries", "cluster_motifs", "write_provenance"}
    logs = {name for name in files_below(finished.logs) if name.endswith(".log")}
    assert logs == {f"{job}.log" for job in jobs | summaries}
    timed = files_below(finished.logs / "benchmarks")
    assert timed >= {f"{job}.tsv" for job in jobs}
    for name in logs:
        text = (finished.logs / name).read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert "Warning" not in text, f"{name}: {text}"
        if name.startswith("train_"):
            assert "validation loss" in text
    for name in timed:
        assert float(read_rows(finished.logs / "benchmarks" / name)[0]["s"]) >= 0


def test_a_second_call_has_nothing_to_do(finished):
    result = finished.call("--cores", "2", "--dry-run", hash_seed=3)
    assert result.returncode == 0
    assert "Nothing to be done" in result.output, sorted(result.jobs)


def test_two_runs_from_scratch_write_the_same_bytes(finished, tmp_path):
    again = tmp_path / "another place"
    command = [sys.executable, "-m", "motifloom", "reproduce", finished.results]
    done = subprocess.run(
        [*command, "--folder", again, "--cores", "2"],
        env=os.environ
        | {"PYTHONHASHSEED": "2", "PYTHONPATH": str(finished.source / "workflow_scripts")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "not as in the run" not in done.stdout
    assert f"files of {finished.results} came out with the same bytes" in done.stdout
    second = again / "work/results/tiny"
    assert files_below(second) == files_below(finished.results)
    different = [
        name
        for name in sorted(files_below(second))
        if (second / name).read_bytes() != (finished.results / name).read_bytes()
    ]
    assert different == []


def test_checksums_cover_all_results(finished):
    listed = read_checksums(finished.results / "checksums.sha256")
    found = files_below(finished.results)
    assert set(listed) == found - {"provenance.json", "checksums.sha256"}
    assert check_run(finished.results) == []


def test_provenance_names_inputs_threads_and_code(finished):
    provenance = read_provenance(finished.results)
    inputs = {path: one["kind"] for path, one in provenance["inputs"].items()}
    paths = [CONFIG["genome"]["fasta"], MEME, *(row[3] for row in DATASETS)]
    assert inputs == dict.fromkeys(paths, "data") | {"datasets.tsv": "table"}
    assert provenance["threads"] == {"deepbind": 1, "multitask": 2}
    assert provenance["config"]["multitask"]["datasets"] == MULTITASK
    assert [line["dataset"] for line in provenance["datasets"]] == NAMES
    assert {"Snakefile", "rules/provenance.smk"} <= provenance["code"]["files"].keys()


def test_own_sequences_are_scored_without_training_again(copy):
    name = "my sequences.fa"
    text = ">first\nACGTAGATAAGGACGTACGTACGTAC\n>second one\nTTTTTTTTTTTTTTTTTTTTTTTTTT\n"
    (copy.folder / name).write_text(text, encoding="ascii")
    copy.config["score"] = {"mine": name}
    planned = copy.plan()
    assert planned.jobs - {"write_report", "write_provenance", "all"} == {
        f"score_sequences mine {n}" for n in NAMES
    }
    targets = [f"results/tiny/scores/mine/{dataset}.tsv" for dataset in ("GATA1", "selex")]
    result = copy.run(*targets)
    assert result.returncode == 0, result.output
    rows = read_rows(copy.results / "scores/mine/GATA1.tsv")
    assert list(rows[0]) == ["sequence", "length", "GATA1"]
    assert [(row["sequence"], row["length"]) for row in rows] == [("first", "26"), ("second", "26")]
    assert all(float(row["GATA1"]) == float(row["GATA1"]) for row in rows)


def test_a_comparison_network_stands_in_the_metrics(copy):
    copy.config["models"]["windows"] = ["resnet"]
    copy.config["models"]["settings"]["resnet"] = {"epochs": 1, "n_kernels": 4, "blocks": 1}
    result = copy.run("results/tiny/evaluation/GATA1/windows.metrics.tsv")
    assert result.returncode == 0, result.output
    rows = read_rows(copy.results / "evaluation/GATA1/windows.metrics.tsv")
    assert {row["model"] for row in rows} >= {"deepbind", "resnet", "pwm"}
    assert not (copy.results / "checkpoints").exists()


def test_costs_are_known_before_training(project):
    result = project.run("plan")
    assert result.returncode == 0, result.output
    (row, *_) = read_rows(project.logs / "plans/danq/before.tsv")
    assert row["part"] == "direct path" and float(row["minutes"]) > 0
    assert not (project.results / "models").exists()
