"""Called sites beside known peaks: rates, intervals and the rows of the table."""

import gzip

import numpy as np
import pandas as pd
import pytest
from builders import genome_of

from motifloom.files import read_table
from motifloom.site_evaluation import (
    NO_MATRIX_THRESHOLD,
    NO_PEAK,
    NOT_HELD_OUT,
    SITE_METRIC_COLUMNS,
    collect_sites,
    evaluate_sites,
    site_metrics,
)

SITE = "TGACGTCA"


def sites_of(*rows):
    return pd.DataFrame(rows, columns=["chrom", "summit", "score"])


def peaks_of(*rows):
    return pd.DataFrame(rows, columns=["chrom", "summit"])


def test_rates_by_hand():
    sites = sites_of(("chr1", 100, 3.0), ("chr1", 130, 2.0), ("chr1", 900, 1.0))
    found = site_metrics(sites, peaks_of(("chr1", 110), ("chr1", 500)), 50, 0)
    assert (found["n_sites"], found["n_peaks"], found["found"]) == (3, 2, 1)
    assert found["precision"] == pytest.approx(1 / 3)
    assert (found["recall"], found["f1"]) == (0.5, pytest.approx(0.4))
    assert found["note"] == ""
    assert np.isnan(found["precision_low"])


def test_no_peak_and_no_site():
    found = site_metrics(sites_of(("chr1", 5, 1.0)), peaks_of(), 50, 10)
    assert np.isnan([found["precision"], found["recall"], found["f1"], found["f1_high"]]).all()
    assert found["note"] == NO_PEAK
    found = site_metrics(sites_of(), peaks_of(("chr1", 5)), 50, 10)
    assert np.isnan([found["precision"], found["precision_low"]]).all()
    assert (found["recall"], found["f1"], found["f1_high"]) == (0, 0, 0)
    assert site_metrics(sites_of(), peaks_of(), 50, 10)["note"] == NO_PEAK


def test_intervals_hold_the_rate_and_come_from_whole_pieces():
    # Ten pieces of 10 kb, each with a site that is right and one that is wrong: all alike.
    places = np.arange(10) * 10_000 + 500
    peaks = peaks_of(*(("chr1", int(p)) for p in places))
    sites = sites_of(
        *(("chr1", int(p), 2.0) for p in places), *(("chr1", int(p) + 5000, 1.0) for p in places)
    )
    found = site_metrics(sites, peaks, 50, 200, seed=1)
    assert found["precision"] == found["precision_low"] == found["precision_high"] == 0.5
    mixed = site_metrics(sites[:15], peaks, 50, 200, seed=1)
    assert mixed["precision_low"] < mixed["precision"] < mixed["precision_high"]
    assert mixed == site_metrics(sites[:15], peaks, 50, 200, seed=1)


@pytest.fixture
def evaluate(tmp_path):
    """Judges two sites of a genome with a planted word at known places; the table's rows."""
    rng = np.random.default_rng(2)
    records = {}
    for chrom in ("chr1", "chr2"):
        letters = rng.choice(list("AG"), 4000)  # no other word comes near the planted one
        for place in (500, 1500, 2500):
            letters[place : place + len(SITE)] = list(SITE)
        records[chrom] = "".join(letters)
    genome_of(records, tmp_path / "g.safetensors")
    rows = [" ".join("0.97" if b == own else "0.01" for b in "ACGT") for own in SITE]
    (tmp_path / "m.meme").write_text(
        "MEME version 4\n\nMOTIF CRE\nletter-probability matrix: alength= 4 w= 8\n"
        + "\n".join(rows) + "\n"
    )  # fmt: skip
    (tmp_path / "peaks.bed").write_text("chr1\t504\t505\nchr1\t1504\t1505\nchr2\t490\t510\n")
    lines = "chr1\t480\t530\ta\t9\t.\t2.5\t-1\t-1\t20\nchr2\t1480\t1530\tb\t9\t.\t1.5\t-1\t-1\t20\n"
    (tmp_path / "sites.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "none.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "summary.tsv").write_text(
        "dataset\tmodel\tthreshold\tthreshold_by\nset1\tdeepbind\t1.5\tvalidation\n"
    )

    def run(motif=f"{tmp_path}/m.meme#CRE", sites="sites.gz", **held_out):
        evaluate_sites(
            tmp_path / sites,
            tmp_path / "summary.tsv",
            tmp_path / "peaks.bed",
            tmp_path / "g.safetensors",
            tmp_path / "out.tsv",
            row={"dataset": "set1", "tf": "TF1"},
            model="deepbind",
            motif=motif,
            release="JASPAR2026",
            held_out=held_out,
            step=10,
            separation=50,
            tolerance=20,
            n_bootstrap=20,
            seed=1,
        )
        table = read_table(tmp_path / "out.tsv", ("note", "preset"))
        assert tuple(table) == SITE_METRIC_COLUMNS
        return table

    return run


def test_a_model_stands_beside_the_known_matrix(evaluate):
    table = evaluate(validation=["chr1"], test=["chr2"])
    assert table.model.tolist() == ["deepbind", "deepbind", "pwm", "pwm"]
    assert table.preset.tolist() == ["deepbind", "deepbind", "CRE", "CRE"]
    assert table.split.tolist() == ["validation", "test"] * 2
    assert table.n_peaks.tolist() == [2, 1, 2, 1]
    # The matrix finds all three planted words of each chromosome.
    assert table.n_sites.tolist() == [1, 1, 3, 3]
    assert table.found.tolist() == [1, 0, 2, 1]
    assert table.precision.tolist() == pytest.approx([1, 0, 2 / 3, 1 / 3], rel=1e-5)
    assert table.recall.tolist() == [0.5, 0, 1, 1]
    assert table.threshold[2] == pytest.approx(8 * np.log2(0.97 / 0.25), abs=0.02)
    assert table.threshold.tolist()[:2] == [1.5, 1.5]


def test_without_a_motif_there_is_the_model_alone(evaluate):
    assert evaluate(motif="", test=["chr2"]).model.tolist() == ["deepbind"]


def test_the_matrix_has_no_threshold_without_validation(evaluate):
    table = evaluate(test=["chr2"])
    assert table.note.tolist() == ["", NO_MATRIX_THRESHOLD]
    assert np.isnan(table.n_sites[1])


def test_nothing_held_out_gives_a_row_without_rates(evaluate):
    table = evaluate()
    assert (table.note.tolist(), table.n_sites.tolist()) == ([NOT_HELD_OUT], [2])
    assert table[["precision", "recall", "f1"]].isna().all(axis=None)


def test_no_sites_at_all(evaluate):
    table = evaluate(sites="none.gz", motif="", validation=["chr1"], test=["chr2"])
    assert (table.n_sites.tolist(), table.recall.tolist()) == ([0, 0], [0, 0])
    assert table.precision.isna().all()


def test_rows_of_the_matrix_stand_once(tmp_path):
    for name, model in (("a", "deepbind"), ("b", "danq")):
        (tmp_path / f"{name}.tsv").write_text(f"model\tf1\n{model}\t0.5\npwm\t0.4\n")
    collect_sites([tmp_path / "a.tsv", tmp_path / "b.tsv"], tmp_path / "sites.tsv")
    assert (tmp_path / "sites.tsv").read_text() == "model\tf1\ndeepbind\t0.5\npwm\t0.4\ndanq\t0.5\n"
