"""Genome tracks and called sites of whole runs."""

import csv

import pytest
from projects import DATASETS
from reruns import NEW

from motifloom.provenance import read_checksums
from motifloom.readers import read_peaks
from motifloom.site_evaluation import SITE_METRIC_COLUMNS

PEAKS = [row[0] for row in DATASETS if row[2] == "peaks"]
TRACKS = [("deepbind", name) for name in PEAKS]
TRACKS += [("danq", name) for name in ("GATA1", "SPI1.rep-2+b")]
FILES = ("bw", "narrowPeak.gz", "narrowPeak.gz.tbi", "summary.tsv", "metrics.tsv")
LAST = {"write_report", "write_provenance", "all"}
OF_NEW = {
    "scan_chromosomes deepbind NEW 1",
    "scan_chromosomes deepbind NEW 2",
    "scan_shuffled deepbind NEW",
    "write_track deepbind NEW",
    "call_sites deepbind NEW",
    "evaluate_sites deepbind NEW",
    "collect_sites",
}


@pytest.fixture
def tracked(copy):
    """A finished run with tracks of both kinds of models."""
    copy.config["tracks"] = {"models": ["deepbind", "danq"], "jobs": 2, "null_bases": 20_000}
    result = copy.run()
    assert result.returncode == 0, result.output
    return copy


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_tracks_and_sites_are_made_and_later_changes_run_what_they_touch(tracked):
    folder = tracked.results / "tracks"
    expected = {f"{model}/{name}.{end}" for model, name in TRACKS for end in FILES}
    expected |= {f"deepbind/{name}.shuffled.safetensors" for name in PEAKS}
    expected |= {"danq/multitask.shuffled.safetensors"}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == expected
    listed = read_checksums(tracked.results / "checksums.sha256")
    assert {f"tracks/{name}" for name in expected} <= set(listed)

    rows = rows_of(tracked.results / "sites.tsv")
    assert tuple(rows[0]) == SITE_METRIC_COLUMNS
    page = (tracked.results / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="genome">Sites along the genome</h2>' in page
    kinds = {(row["model"], row["dataset"], row["split"]) for row in rows}
    splits = ("validation", "test")
    models = {(model, name, split) for model, name in TRACKS for split in splits}
    assert models | {("pwm", name, s) for name in PEAKS[:2] for s in splits} == kinds
    # A motif planted without errors is found wherever it is.
    matrix = [row for row in rows if (row["model"], row["dataset"]) == ("pwm", "GATA1")]
    assert all(float(row["recall"]) > 0.95 for row in matrix)
    assert all(row["threshold_by"] == "validation" for row in rows)

    for model, name in TRACKS:
        (summary,) = rows_of(folder / model / f"{name}.summary.tsv")
        sites = read_peaks(folder / model / f"{name}.narrowPeak.gz")
        assert len(sites) == int(summary["n_sites"])
        assert sites.score.min() == pytest.approx(float(summary["threshold"]))

    assert tracked.plan().jobs == set()
    tracked.config["tracks"]["tolerance"] = 60
    # Tracks are read again, not scanned.
    assert tracked.plan().rules == {"call_sites", "evaluate_sites", "collect_sites"} | LAST
    tracked.config["tracks"]["tolerance"] = 50
    tracked.datasets.append(NEW)
    jobs = tracked.plan().jobs
    of_tracks = {job for job in jobs if job.split()[0] in {name.split()[0] for name in OF_NEW}}
    assert of_tracks == OF_NEW
