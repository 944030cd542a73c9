import re
from types import SimpleNamespace

import jinja2
import numpy as np
import pytest
from atlas_inputs import (
    FOLDER,
    HOSTILE,
    MEME,
    SVG,
    Page,
    match,
    metric,
    run_of,
    scores,
    sections,
)

from motifloom import report
from motifloom.files import InputError

TEMPLATES = [FOLDER / name for name in report.PAGE_FILES]
SHEET = [
    {"dataset": "reb1", "tf": "Reb1", "kind": "peaks", "motif": "MA1"},
    {"dataset": "abf1", "tf": "Abf1", "kind": "peaks", "motif": ""},
]


@pytest.fixture(autouse=True)
def bundles(monkeypatch):
    """Short stand-ins of the large scripts, which have a test of their own."""
    monkeypatch.setattr(report, "tables_script", lambda: "window.tables = 1;")
    monkeypatch.setattr(report, "figures_script", lambda: "window.figures = 1;")


@pytest.fixture
def make(tmp_path):
    """Write a page of a few files; returns its text."""

    def write(files=(), sheet=SHEET, **changes):
        files = dict(files)
        run = run_of(tmp_path / "results", files)
        inputs = {
            "output": tmp_path / "report.html",
            "templates": TEMPLATES,
            "title": "A run",
            "results": run.folder,
            "inputs": [run.folder / name for name in files],
            "sheet": sheet,
            "models": [("deepbind", "reb1"), ("deepbind", "abf1"), ("danq", "multitask")],
            "configuration": {"name": "x"},
            "versions": {"numpy": "2.4"},
        } | changes
        report.write_page(**inputs)
        return inputs["output"].read_text(encoding="utf-8")

    return write


ATTRIBUTION = {
    "mutagenesis": np.array([[[0.5, 0, 0], [0, 0, 1], [0, -2, 0], [0, 0, 0]]], np.float32),
    "deeplift": np.array([[[9, 9, 9], [9, 0.25, 9], [-1, 9, 9], [9, 9, 9]]], np.float32),
    "codes": np.array([[2, 1, 4]], np.uint8),
}


def full():
    """All that a page can show of two datasets and a multi-task network."""
    summary = {"members": 6, "kernels": 16, "motifs": 3, "matched": 1, "matched_by_chance": 0.1,
               "evalue": 0.01, "controls": 10, "note": ""}  # fmt: skip
    difference = {"examples": "windows", "negatives": "dinucleotide", "model": "deepbind",
                  "other": "pwm", "metric": "auroc", "difference": 0.2, "low": 0.1, "high": 0.3,
                  "pvalue": 0.002, "n": 440}  # fmt: skip
    own = "motifs/deepbind/reb1"
    return {
        "metrics.tsv": [
            metric("reb1", "deepbind", **scores(0.9)),
            metric("reb1", "pwm", **scores(0.7)),
            metric("reb1", "deepbind", **scores(0.85), negatives="gc"),
            metric("reb1", "danq", **scores(0.8), examples="bins", negatives="none"),
            metric("abf1", "deepbind", pearson=0.63, spearman=0.587, n=812, negatives="none"),
        ],
        "matches.tsv": [
            match("reb1", "k00", 1e-8, "Reb1", pvalue=1e-10, qvalue=1e-9, offset=1, strand="-"),
            match("abf1", "k00", 0.5),
            match("multitask", "k02", 1e-4, model="danq"),
        ],
        "comparisons.tsv": [{"dataset": name} | difference for name in ("reb1", "all")],
        "calibration.tsv": [
            {"dataset": "reb1", "model": "deepbind", "ece_before": 0.125, "ece_after": 0.03125}
        ],
        "motif_summary.tsv": [{"dataset": "reb1", "model": "deepbind"} | summary],
        "families.tsv": [{"family": "k00", "name": "REB1-like", "n_motifs": 2, "tfs": "Reb1,Abf1",
                          "models": "deepbind", "consensus": "AC", "match": "MA1",
                          "match_name": "REB1", "evalue": 1e-5}],
        "families/families.meme": MEME,
        "motifs/database.meme": MEME.replace("k00", "MA1 REB1"),
        f"{own}/motifs.meme": MEME,
        f"{own}/motifs.tsv": [{"kernel": "k00", "n_sites": 120, "validation_drop": 0.05}],
        f"{own}/summary.tsv": [summary],
        f"{own}/positions.tsv": [
            {"kernel": "k00", "start": -5, "end": 5, "forward": 3, "reverse": 1}
        ],
        "evaluation/reb1/windows.svg": SVG,
        "evaluation/reb1/composition.tsv": [{"kind": "gc", "n": 10, "gc_mean": 0.4375}],
        "evaluation/comparison.svg": SVG,
        "attribution/reb1/sequences.tsv": [
            {"rank": 1, "chrom": "chrIV", "start": 10, "end": 111, "strand": "+", "score": 3.25}
        ],
        "attribution/reb1/attributions.safetensors": ATTRIBUTION,
        "sequences/reb1/qc.tsv": [{"stage": "peaks read", "count": 1412, "note": "one & all"}],
        "architecture.tsv": [
            {"model": "danq", "layer": "total", "output_shape": "", "parameters": 46926479,
             "operations": 200578075, "receptive_field": 1000}
        ],
    }  # fmt: skip


def test_page_shows_the_run(make):
    html = make(full())
    for shown in (
        "0.850–0.920", "PWM 0.700 · 1 dataset", "1 of 1", "GC-matched windows", "E 1.0e-8", "0.630",
        "0.587", "Motifs of the multi-task networks", "46,926,479", "numpy", "REB1-like",
        "2 motifs of 2 factors", "Differences over all datasets", "Matches by chance", "−0.050",
    ):  # fmt: skip
        assert shown in html
    assert "bound ones against dinucleotide shuffles and GC-matched windows" in html


def test_sections_hold_what_is_known_of_a_dataset(make):
    section, other = sections(make(full()))
    assert section["images"] == [SVG]
    assert section["attributions"][0]["letters"] == "GCN"
    html = section["html"]
    for shown in (
        "0.900 (0.850–0.920)", "+0.200", "+0.100 to +0.300", "0.125", "0.031", "1,412",
        "one &amp; all", "0.438", "1.0e-10", "✓ recovers Reb1", "AUROC without it",
        "Matched 1 of 3 motifs at E &lt; 0.01", "±5 bp",
        "chrIV:11-111 (+), score 3.25; largest change 2.",
    ):  # fmt: skip
        assert shown in html
    assert 'data-match="1000,0,0,0 100,200,300,400" data-offset="1" data-strand="-"' in html
    assert "0.630" in other["html"] and other["images"] == []


def test_page_is_well_formed_and_reaches_for_nothing_outside(make):
    html = make(full())
    page = Page(html)
    assert page.well_formed
    assert all(uri.startswith("data:image/svg+xml;base64,") for uri in page.attributes("src"))
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for link in page.attributes("href"):
        assert link == "data:," or (link.startswith("#") and link[1:] in ids)
    for labelled in page.attributes("aria-labelledby"):
        assert labelled in ids
    assert not re.search(r"@import|url\((?!data:)", html)
    for section in sections(html):
        assert Page(section["html"]).well_formed


def test_images_are_described(make):
    html = make(full())
    for text in (html, *(section["html"] for section in sections(html))):
        tags = Page(text).tags
        assert all(given["alt"] for tag, given in tags if tag == "img")
        logos = [given for tag, given in tags if tag == "svg" and "data-logo" in given]
        assert all(given["role"] == "img" and given["aria-label"] for given in logos)


def test_cross_validation_has_a_section_of_its_own(make):
    row = {"dataset": "reb1", "tf": "Reb1", "model": "deepbind", "examples": "windows"}
    row |= {"negatives": "gc", "folds": 3, "note": "no value in fold 2"}
    row |= {"auroc_mean": 0.9, "auroc_sd": 0.0126, "auroc_min": 0.88, "auroc_max": 0.91}
    row |= {"auprc_mean": 0.5, "auprc_sd": None, "auprc_min": 0.5, "auprc_max": 0.5}
    html = make({"cross_validation.tsv": [row]})
    assert Page(html).well_formed
    section = re.search(r'<section aria-labelledby="folds">.*?</section>', html, re.S)[0]
    shown = re.findall(r"<td[^>]*>(.*?)</td>", section)
    assert shown == [
        "reb1", "DeepBind", "windows", "GC-matched windows", "3", "0.900 ± 0.013 (0.880–0.910)",
        "0.500", "no value in fold 2",
    ]  # fmt: skip
    assert "take no part: abf1." in section
    assert 'aria-labelledby="folds"' not in make()


SITES = {
    "dataset": "reb1", "tf": "Reb1", "n_sites": 120, "n_peaks": 200, "precision": 0.625,
    "precision_low": 0.5, "precision_high": 0.7, "recall": 0.375, "recall_low": 0.3,
    "recall_high": 0.4, "f1": 0.46875, "f1_low": 0.4, "f1_high": 0.5, "threshold": 2.5,
    "threshold_by": "validation", "tolerance": 50, "note": "",
}  # fmt: skip


def section_of(html, name):
    return re.search(rf'<section aria-labelledby="{name}">.*?</section>', html, re.S)[0]


def test_called_sites_have_a_section_of_their_own(make):
    rows = [SITES | {"model": "deepbind", "split": split} for split in ("validation", "test")]
    rows += [SITES | {"model": "pwm", "split": "test", "f1": 0.25}]
    configuration = {"splits": {"test": {"chromosomes": ["chrIV"]}}, "tracks": {"fdr": 0.05}}
    html = make({"sites.tsv": rows}, configuration=configuration)
    assert Page(html).well_formed
    section = section_of(html, "genome")
    for shown in (
        "(test: chrIV)", "at most 50 bases away", "best F1 on the validation chromosomes",
        "0.625<small>0.500–0.700</small>", "PWM is the dataset’s known matrix", 'id="chart-called"',
        '<a href="#dataset-reb1">reb1</a>', 'data-order="0.46875">0.469',
    ):  # fmt: skip
        assert shown in section
    assert "against shuffled sequence" not in section
    assert section.count("<tr data-section=") == 2
    assert 'aria-labelledby="comparison"' not in html
    assert 'aria-labelledby="genome"' not in make()


def test_thresholds_from_shuffled_sequence_are_told(make):
    row = SITES | {"model": "deepbind", "split": "test", "threshold_by": "fdr"}
    section = section_of(
        make({"sites.tsv": [row]}, configuration={"tracks": {"fdr": 0.1}}), "genome"
    )
    assert "Each model’s threshold is the lowest score with q up to 0.1" in section
    assert "validation chromosomes" not in section and "PWM" not in section


def test_variants_have_a_section_of_their_own(make):
    effect = {"chrom": "chrIV", "pos": 12345, "id": HOSTILE, "ref": "A", "alt": "C",
              "dataset": "reb1", "reference": 4.25, "alternative": -1.5, "difference": -5.75,
              "log_odds": None, "p": 0.0001, "strand": "+", "position": 12340}  # fmt: skip
    stages = {"records": 2, "scored": 1, "skipped: breakend": 1}
    files = {
        f"variants/{HOSTILE[:8]}/deepbind.summary.tsv": [
            {"stage": stage, "count": count} for stage, count in stages.items()
        ],
        f"variants/{HOSTILE[:8]}/deepbind.top.tsv": [effect],
    }
    html = make(files)
    assert Page(html).well_formed
    section = section_of(html, "variants")
    for shown in ("12,345", "&lt;script&gt;alert(", "−5.75", "1.0e-4", "1 breakend"):
        assert shown in section
    assert "<script>alert" not in section
    assert 'aria-labelledby="variants"' not in make()


def test_a_network_without_convolution_is_told(make):
    note = {"kernels": 0, "motifs": 0, "note": "no kernels: lstm has no convolution"}
    html = make({"motifs/lstm/reb1/summary.tsv": [note]}, models=[("lstm", "reb1")])
    assert "No kernels: lstm has no convolution." in sections(html)[0]["html"]


def test_page_has_the_same_bytes_each_time(make):
    assert make(full()) == make(full())


def test_dangerous_text_is_escaped(make):
    sheet = [{"dataset": HOSTILE, "tf": HOSTILE, "motif": HOSTILE, "path": HOSTILE}]
    matches = [match(HOSTILE, HOSTILE, 1e-5, HOSTILE, match=HOSTILE, match_name=HOSTILE)]
    calm = make(full())
    html = make(
        {
            "metrics.tsv": [
                metric(HOSTILE, "deepbind", **scores(0.9) | {"note": HOSTILE}, preset=HOSTILE)
            ],
            "matches.tsv": matches,
            "families.tsv": [{"family": HOSTILE, "name": HOSTILE, "tfs": HOSTILE, "n_motifs": 2}],
            "bands.tsv": [{"model": HOSTILE, "negatives": "", "metric": HOSTILE, "note": HOSTILE}],
        },
        sheet,
        title=HOSTILE,
        configuration={HOSTILE: [HOSTILE]},
        versions={HOSTILE: HOSTILE},
    )
    (section,) = sections(html)
    for text in (html, section["html"]):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(" in text
        assert Page(text).well_formed
    assert html.count("<script") == calm.count("<script") - 1  # one packed section less


def test_page_without_tables(make):
    html = make()
    assert Page(html).well_formed
    assert "<img" not in html and "Networks compared" not in html
    for section in sections(html):
        assert "No metrics were computed for this dataset." in section["html"]


def test_page_without_datasets(make):
    assert Page(make(sheet=[])).well_formed


def test_rna_logos_are_written_with_u(make):
    sheet = [SHEET[0] | {"alphabet": "rna"}]
    assert 'data-letters="ACGU"' in sections(make(full(), sheet))[0]["html"]


def test_missing_template_is_an_input_error(make, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        make(templates=[tmp_path / "none.jinja"])


# --- captions -------------------------------------------------------------------------------


@pytest.mark.parametrize("wildcards", [{"dataset": "HNF4A_*x"}, {}])
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.rst")), ids=lambda path: path.stem)
def test_captions_are_valid(path, wildcards):
    docutils = pytest.importorskip("docutils.core")
    text = path.read_text(encoding="utf-8")
    if "wildcards.dataset is defined" not in text and "wildcards" in text:
        wildcards = dict.fromkeys(re.findall(r"wildcards\.(\w+)", text), "HNF4A_*x")
    # As Snakemake renders them.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(**wildcards), config={"name": "x", "datasets": "datasets.tsv"}
    )
    caption = environment.from_string(text).render(snakemake=snakemake)
    settings = {"report_level": 2, "halt_level": 2}
    body = docutils.publish_parts(caption, writer="html", settings_overrides=settings)["body"]
    assert "``" not in body
    assert ("HNF4A_*x" in body) == ("wildcards" in text and bool(wildcards))
