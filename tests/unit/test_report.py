import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pandas as pd
import pytest

from motifloom import report
from motifloom.files import InputError

FOLDER = Path(__file__).parents[2] / "report"
TEMPLATE = FOLDER / "page.html.jinja"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9"/></svg>'
HOSTILE = '<script>alert("1")</script>&\'x'
VOID = {"meta", "link", "img", "input", "br", "hr"}


def metric(dataset, model, **values):
    given = {"dataset": dataset, "tf": dataset.upper(), "model": model, "preset": model}
    given |= {"examples": "windows", "negatives": "dinucleotide", "members": 2, "note": ""}
    return given | values


def scores(auroc, n_positive=40):
    return {
        "n": 11 * n_positive, "n_positive": n_positive,
        "auroc": auroc, "auroc_low": auroc - 0.05, "auroc_high": auroc + 0.02,
        "auprc": 0.6, "auprc_low": 0.5, "auprc_high": 0.7,
    }  # fmt: skip


def match(dataset, kernel, evalue, recovers="", model="deepbind", **values):
    given = {"dataset": dataset, "model": model, "kernel": kernel, "n_sites": 120}
    given |= {"information": 9.25, "initialised_from": "", "match": "MA1", "match_name": "REB1"}
    return given | {"evalue": evalue, "recovers": recovers} | values


def rows_of(records, columns):
    return report.table_rows(pd.DataFrame(records), columns)


@pytest.fixture
def make(tmp_path):
    """Render a page from a few literals; returns its text."""

    def write(records=(), matches=(), sheet=None, folders=None, **changes):
        sheet = sheet or [
            {"dataset": "reb1", "tf": "Reb1", "kind": "peaks", "motif": "MA1"},
            {"dataset": "abf1", "tf": "Abf1", "kind": "peaks", "motif": ""},
        ]
        inputs = {
            "output": tmp_path / "report.html",
            "template": TEMPLATE,
            "title": "A run",
            "datasets": pd.DataFrame(sheet),
            "metrics": pd.DataFrame(list(records)),
            "matches": matches if isinstance(matches, Path) else pd.DataFrame(list(matches)),
            "logo_folders": folders or {},
            "qc": {},
            "comparison_svg": None,
            "curves": {},
            "configuration": {"name": "x"},
            "versions": {"numpy": "2.4"},
        } | changes
        report.write_page(**inputs)
        return inputs["output"].read_text(encoding="utf-8")

    return write


@pytest.fixture
def logos(tmp_path):
    folder = tmp_path / "logos"
    folder.mkdir()
    for kernel in ("k00", "k01", "k02"):
        (folder / f"{kernel}.svg").write_text(SVG.replace("9", f"9{kernel[-1]}"))
    return folder


class Page(HTMLParser):
    """Tags with their attributes, and whether every element was closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.well_formed = [], [], True
        self.feed(html)
        self.well_formed &= not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.well_formed &= bool(self.open) and self.open.pop() == tag

    def attributes(self, name):
        return [given[name] for _, given in self.tags if given.get(name)]


# --- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.13e-8, "2.1e-8"), (0.012, "0.012"), (4.26, "4.3"), (812.4, "812"), (1e4, "1.0e4"),
     (0.0, "0"), (None, ""), (float("nan"), "")],
)  # fmt: skip
def test_evalues_have_two_digits(value, expected):
    assert report.evalue(value) == expected


def test_missing_values_are_empty_text():
    for missing in (None, float("nan"), pd.NA):
        assert (report.text(missing), report.number(missing)) == ("", None)
        assert (report.decimals(missing), report.count(missing)) == ("", "")
    assert [report.text(value) for value in ("a", 1234567.0, 2.5, 7)] == [
        "a",
        "1234567",
        "2.5",
        "7",
    ]
    assert (report.decimals(0.91249), report.count(12345.0)) == ("0.912", "12,345")


def test_interval_needs_both_ends():
    row = {"auroc_low": 0.891, "auroc_high": 0.9316, "auprc_low": 0.5}
    assert report.interval(row, "auroc") == "0.891–0.932"
    assert report.interval(row, "auprc") == ""


def test_configuration_reads_like_yaml():
    configuration = {
        "name": "yeast",
        "seed": 1,
        "on": True,
        "none": None,
        "empty": {},
        "splits": {"test": ["chrIV", "chrXII"], "fraction": 0.2},
        "pairs": [{"a": 1}],
        "word": "yes",
        "odd": "a: b",
    }
    assert list(report.configuration_lines(configuration)) == [
        "name: yeast",
        "seed: 1",
        "on: true",
        "none: null",
        "empty: {}",
        "splits:",
        "  test:",
        "    - chrIV",
        "    - chrXII",
        "  fraction: 0.2",
        "pairs:",
        "  -",
        "    a: 1",
        'word: "yes"',
        'odd: "a: b"',
    ]


# --- tables and means -----------------------------------------------------------------------


def test_plain_tables_drop_empty_columns():
    columns = [
        ("Stage", False, report.field("stage")),
        ("Note", False, report.field("note")),
        ("Count", True, report.field("count", report.count)),
    ]
    table = report.plain_table(columns, [{"stage": "read", "count": 1200}, {"stage": "kept"}])
    assert table == report.Table(
        ["Stage", "Count"], [False, True], [["read", "1,200"], ["kept", ""]]
    )


def test_means_are_taken_within_one_kind_of_row():
    records = [
        metric("a", "deepbind", **scores(0.9)),
        metric("b", "deepbind", **scores(0.7)),
        metric("c", "deepbind", auroc=None, note="too few"),
        metric("a", "deepbind", **scores(0.6), negatives="gc"),
        metric("a", "danq", **scores(0.8), examples="bins", negatives="none"),
    ]
    means = report.mean_rows(rows_of(records, report.METRIC_COLUMNS))
    found = [
        (row["model"], row["examples"], row["negatives"], row["datasets"], round(row["auroc"], 6))
        for row in means
    ]
    assert found == [
        ("deepbind", "windows", "dinucleotide", 2, 0.8),
        ("deepbind", "windows", "gc", 1, 0.6),
        ("danq", "bins", "none", 1, 0.8),
    ]


def test_comparison_averages_only_datasets_that_have_both():
    records = [
        metric("a", "deepbind", **scores(0.9)),
        metric("a", "pwm", **scores(0.7)),
        metric("b", "deepbind", **scores(0.5)),
    ]
    sheet = pd.DataFrame({"dataset": ["a", "b"], "tf": ["A", "B"], "motif": ["", ""]})
    rows = rows_of(records, report.METRIC_COLUMNS)
    entries = report.make_entries(sheet, rows, [], {}, {}, {})
    tile = report.comparison_tile(entries, "deepbind", "auroc", "windows", "x")
    assert tile == report.Tile("0.900", "x", "PWM 0.700 · 1 dataset")
    alone = report.comparison_tile(entries[1:], "deepbind", "auroc", "windows", "x")
    assert alone == report.Tile("0.500", "x", "1 dataset")
    assert report.comparison_tile(entries, "danq", "auroc", "bins", "x") is None


def test_bar_spans_half_to_one():
    bar = report.auroc_bar({"auroc": 0.75, "auroc_low": 0.4, "auroc_high": 0.8}, {"auroc": 0.6})
    assert bar == report.Bar(value=50.0, low=0.0, high=60.0, reference=20.0)
    without = report.auroc_bar({"auroc": 1.0, "auroc_low": None, "auroc_high": None}, {})
    assert without == report.Bar(value=100.0, low=100.0, high=100.0, reference=None)


def test_anchors_are_distinct():
    assert report.anchors(["a b", "a-b", "a+b"]) == ["dataset-a-b", "dataset-a-b-", "dataset-a+b"]


# --- kernels --------------------------------------------------------------------------------


def test_best_kernel_is_the_lowest_evalue_below_the_limit():
    matches = [match("a", "k00", 0.5), match("a", "k01", 1e-3), match("a", "k02", 1e-5)]
    motifs = report.shown_motifs("deepbind", rows_of(matches, report.MATCH_COLUMNS), None, 2)
    assert motifs.best.name == "k02"
    assert [kernel.name for kernel in motifs.kernels] == ["k02", "k01"]
    assert motifs.total == 3


def test_without_a_match_the_first_kernel_is_best():
    matches = [match("a", "k00", 0.5), match("a", "k01", 0.02), match("a", "k02", None)]
    motifs = report.shown_motifs("deepbind", rows_of(matches, report.MATCH_COLUMNS), None, 8)
    assert motifs.best.name == "k00"
    assert [kernel.evalue_text for kernel in motifs.kernels] == ["0.5", "0.02", ""]


def test_a_kernel_counts_once_with_its_best_match():
    matches = [
        match("a", "k00", 0.5, match_name="X"),
        match("a", "k00", 1e-4, "Reb1,Abf1", match_name="Y"),
        match("a", "k00", 1e-3, match_name="Z"),
    ]
    (kernel,) = report.kernels_of(rows_of(matches, report.MATCH_COLUMNS))
    assert (kernel.match_name, kernel.evalue, kernel.recovers) == ("Y", 1e-4, "Reb1, Abf1")


def test_kernels_with_logos_are_shown_first(logos):
    matches = [match("a", "k09", 1e-9), match("a", "k01", 1e-3), match("a", "k00", 1e-5)]
    motifs = report.shown_motifs("deepbind", rows_of(matches, report.MATCH_COLUMNS), logos, 2)
    assert motifs.best.name == "k09"
    assert [kernel.name for kernel in motifs.kernels] == ["k00", "k01"]
    assert all(kernel.image for kernel in motifs.kernels)


def test_recovery_is_told_where_a_motif_is_expected():
    hit = rows_of([match("a", "k00", 1e-5, "Reb1")], report.MATCH_COLUMNS)
    miss = rows_of([match("a", "k00", 1e-5)], report.MATCH_COLUMNS)
    other = rows_of([match("a", "k00", 1e-5, "Reb1", model="danq")], report.MATCH_COLUMNS)
    assert [report.was_recovered("MA1", rows) for rows in (hit, miss, other)] == [
        True,
        False,
        False,
    ]
    assert report.was_recovered("", miss) is None


# --- images ---------------------------------------------------------------------------------


def test_svg_loses_only_what_cannot_be_seen():
    svg = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "y">\n<!-- made -->\n<svg>'
        "<metadata><date>2020</date></metadata>\n  "
        '<path id="a"  d="M 432.123456 10.5 \nL -0.00001 2e1 z"/></svg>'
    )
    assert report.compact_svg(svg) == '<svg> <path id="a" d="M432.1 10.5L0 20z"/></svg>'


def test_thumbnail_is_cropped_to_the_axes():
    svg = (
        '<svg width="9pt" height="5pt" viewBox="0 0 9 5" id="a"><text>t</text><clipPath id="c">'
        ' <rect x="1" y="2.5" width="3" height="2"/></clipPath></svg>'
    )
    assert report.cropped_svg(svg).startswith(
        '<svg id="a" viewBox="1 2.5 3 2" width="3" height="2"><clipPath id="c">'
    )
    assert report.cropped_svg(SVG) == SVG


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("M0.123456 0.987654z", "M0.1235 0.9877z"),
        ("M.5.5-1-.25", "M0.5 0.5 -1 -0.25"),
        ("M0 0z", "M0 0z"),
        ("M1.23456 0a1 1 0 012 2", "M1.23456 0a1 1 0 012 2"),
    ],
)
def test_path_precision_follows_the_scale(path, expected):
    assert report.compact_svg(f'<path d="{path}"/>') == f'<path d="{expected}"/>'


def test_embedded_images_decode_to_their_svg(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(SVG)
    head, _, body = report.embedded(path).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body).decode() == SVG
    assert report.embedded(None) == ""
    with pytest.raises(InputError, match="no such file"):
        report.embedded(tmp_path / "b.svg")


# --- the page -------------------------------------------------------------------------------


def full(logos, tmp_path):
    curve = tmp_path / "curve.svg"
    curve.write_text(SVG)
    qc = pd.DataFrame({"stage": ["peaks read"], "count": [1412], "note": ["one & all"]})
    return {
        "records": [
            metric("reb1", "deepbind", **scores(0.9)),
            metric("reb1", "pwm", **scores(0.7)),
            metric("reb1", "deepbind", **scores(0.85), negatives="gc"),
            metric("reb1", "danq", **scores(0.8), examples="bins", negatives="none"),
            metric("abf1", "deepbind", pearson=0.63, spearman=0.587, n=812, negatives="none"),
        ],
        "matches": [
            match("reb1", "k00", 1e-8, "Reb1"),
            match("abf1", "k00", 0.5),
            match("multitask", "k02", 1e-4, model="danq"),
        ],
        "folders": {("deepbind", "reb1"): logos, ("danq", "multitask"): logos},
        "curves": {"reb1": curve},
        "comparison_svg": curve,
        "qc": {"reb1": qc},
        "networks": architecture(),
        "networks_svg": curve,
    }


def architecture():
    """A convolution and the total of one network."""
    rows = [
        ("danq", "convolution", "975 x 320", 33600, 32448000, 26),
        ("danq", "total", "", 46926479, 200578075, 1000),
    ]
    columns = ["model", "layer", "output_shape", "parameters", "operations", "receptive_field"]
    return pd.DataFrame(rows, columns=columns)


def test_networks_by_total_and_by_layer():
    totals, layers = report.network_tables(architecture())
    assert totals.headers == ["Network", "Parameters", "Operations", "Receptive field"]
    assert totals.rows == [["DanQ", "46,926,479", "200,578,075", "1,000 bp"]]
    assert layers.rows[0] == ["DanQ", "convolution", "975 × 320", "33,600", "32,448,000", "26 bp"]
    assert [len(table.rows) for table in report.network_tables(None)] == [0, 0]


def test_page_shows_results(make, logos, tmp_path):
    html = make(**full(logos, tmp_path))
    for shown in (
        "0.850–0.920", "PWM 0.700 · 1 dataset", "1 of 1", "GC-matched windows", "E 1.0e-8", "1,412",
        "0.630", "0.587", "Kernels of the multi-task networks", "46,926,479", "numpy",
    ):  # fmt: skip
        assert shown in html
    assert "bound ones against dinucleotide shuffles and GC-matched windows" in html


def test_page_is_well_formed_and_reaches_for_nothing_outside(make, logos, tmp_path):
    page = Page(make(**full(logos, tmp_path)))
    assert page.well_formed
    assert all(uri.startswith("data:image/svg+xml;base64,") for uri in page.attributes("src"))
    assert page.attributes("src")
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for link in page.attributes("href"):
        assert link == "data:," or (link.startswith("#") and link[1:] in ids)
    for labelled in page.attributes("aria-labelledby"):
        assert labelled in ids
    assert not re.search(r"@import|url\((?!data:)", make(**full(logos, tmp_path)))


def test_images_are_lazy_and_described(make, logos, tmp_path):
    page = Page(make(**full(logos, tmp_path)))
    images = [given for tag, given in page.tags if tag == "img"]
    assert images and all(given["loading"] == "lazy" and given["alt"] for given in images)


def test_cross_validation_has_a_section_of_its_own(make):
    row = {"dataset": "reb1", "tf": "Reb1", "model": "deepbind", "examples": "windows"}
    row |= {"negatives": "gc", "folds": 3, "note": "no value in fold 2"}
    row |= {"auroc_mean": 0.9, "auroc_sd": 0.0126, "auroc_min": 0.88, "auroc_max": 0.91}
    row |= {"auprc_mean": 0.5, "auprc_sd": None, "auprc_min": 0.5, "auprc_max": 0.5}
    html = make(cross_validation=pd.DataFrame([row]))
    assert Page(html).well_formed
    section = re.search(r'<section aria-labelledby="folds">.*?</section>', html, re.S)[0]
    shown = re.findall(r"<td[^>]*>(.*?)</td>", section)
    assert shown == [
        "reb1", "DeepBind", "windows", "GC-matched windows", "3", "0.900 ± 0.013 (0.880–0.910)",
        "0.500", "no value in fold 2",
    ]  # fmt: skip
    assert "take no part: abf1." in section
    assert 'aria-labelledby="folds"' not in make()


def test_page_has_the_same_bytes_each_time(make, logos, tmp_path):
    inputs = full(logos, tmp_path)
    assert make(**inputs) == make(**inputs)


def test_tables_may_be_paths(make, logos, tmp_path):
    inputs = full(logos, tmp_path)
    expected = make(**inputs)
    paths = {"metrics": tmp_path / "metrics.tsv", "matches": tmp_path / "matches.tsv"}
    for name, records in (("metrics", "records"), ("matches", "matches")):
        pd.DataFrame(inputs.pop(records)).to_csv(paths[name], sep="\t", index=False, na_rep="NA")
    assert make(**inputs, **paths) == expected


def test_dangerous_text_is_escaped(make):
    sheet = [{"dataset": HOSTILE, "tf": HOSTILE, "motif": HOSTILE, "path": HOSTILE}]
    qc = {HOSTILE: pd.DataFrame({"stage": [HOSTILE], "count": [1], "note": [HOSTILE]})}
    html = make(
        [metric(HOSTILE, "deepbind", note=HOSTILE, preset=HOSTILE)],
        [match(HOSTILE, HOSTILE, 1e-5, match=HOSTILE, match_name=HOSTILE)],
        sheet,
        title=HOSTILE,
        qc=qc,
        configuration={HOSTILE: [HOSTILE]},
        versions={HOSTILE: HOSTILE},
    )
    assert "<script>alert" not in html
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(" in html
    assert Page(html).well_formed


def test_missing_metrics_show_their_note(make):
    html = make([metric("reb1", "deepbind", n=12, n_positive=2, note="only 2 positives")])
    row = re.search(r'<tr data-section="dataset-reb1">.*?</tr>', html, re.S)[0]
    assert "only 2 positives" in row
    assert 'data-sort=""' in row


def test_page_without_metrics_matches_and_logos(make):
    html = make()
    assert Page(html).well_formed
    assert html.count("No metrics were computed for this dataset.") == 2
    assert "<img" not in html and "Models compared" not in html


def test_page_without_datasets(make):
    html = make(datasets=pd.DataFrame({"dataset": [], "tf": []}))
    assert Page(html).well_formed


def test_columns_that_no_dataset_fills_are_left_out(make):
    html = make([metric("reb1", "deepbind", **scores(0.9))])
    head = re.search(r'<table class="results".*?</thead>', html, re.S)[0]
    assert "DeepBind AUROC" in head
    assert "Pearson" not in head and "DanQ" not in head and "PWM" not in head


def test_presets_of_one_network_share_a_column_and_the_first_counts(make):
    html = make(
        [
            metric("reb1", "deepbind", **scores(0.9)),
            metric("reb1", "deepbind-lecture", **scores(0.8)),
        ]
    )
    row = re.search(r'<tr data-section="dataset-reb1">.*?</tr>', html, re.S)[0]
    assert "0.900" in row and "0.800" not in row
    assert "DeepBind-lecture" in html


def test_baselines_stand_beside_the_network_without_a_bar_of_their_own(make):
    html = make(
        [
            metric("reb1", "deepbind", **scores(0.9)),
            metric("reb1", "pwm", **scores(0.7)),
            metric("reb1", "kmer", **scores(0.8), preset="3-mer pairs, gaps 0-6"),
        ]
    )
    head = re.search(r'<table class="results".*?</thead>', html, re.S)[0]
    labels = re.findall(r"<span>([^<]*AUROC)</span>", head)
    assert labels == ["DeepBind AUROC", "PWM AUROC", "k-mers AUROC"]
    row = re.search(r'<tr data-section="dataset-reb1">.*?</tr>', html, re.S)[0]
    assert row.count('class="bar"') == 1
    assert "0.800" in row
    assert "3-mer pairs, gaps 0-6" in html
    assert "as did a linear model of gapped k-mer counts" in html


def test_an_ensembles_spread_stands_beside_its_metric(make):
    alone = {"auroc_members_mean": 0.88, "auroc_members_sd": 0.00449, "members": 6}
    html = make([metric("reb1", "deepbind", **scores(0.9) | alone)])
    row = re.search(r'<tr data-section="dataset-reb1">.*?</tr>', html, re.S)[0]
    assert re.search(r"0\.900&nbsp;<span [^>]*>±0\.004</span>", row)
    (title,) = Page(row).attributes("title")
    assert title == (
        "AUROC of the ensemble’s 6 members, each alone: 0.880 ± 0.004 (mean ± standard deviation)"
    )
    assert 'data-sort="0.9"' in row
    assert "± beside a network" in html
    assert '<td class="number">0.880 ± 0.004</td>' in html
    assert Page(html).well_formed


def test_a_correlations_spread_and_none(make):
    alone = {"pearson_members_mean": 0.6, "pearson_members_sd": 0.05}
    html = make([metric("reb1", "deepbind", pearson=0.7, spearman=0.6, **alone)])
    assert "±0.050" in html and "Pearson of the ensemble’s 2 members" in html
    html = make([metric("reb1", "deepbind", **scores(0.9))])
    assert "±" not in html and "of members" not in html


def test_distinct_windows_stand_beside_all_windows_and_replace_none(make):
    records = [metric("reb1", "danq", **scores(0.6), examples="bins", negatives="bins")]
    for examples, auroc in (("windows", 0.9), ("windows-distinct", 0.77)):
        records.append(metric("reb1", "deepbind", **scores(auroc), examples=examples))
    means = report.mean_rows(rows_of(records, report.METRIC_COLUMNS))
    assert [row["examples"] for row in means] == ["windows", "windows-distinct", "bins"]
    html = make(records[::-1])
    assert "windows that share no 31-mer with training" in html
    row = re.search(r'<tr data-section="dataset-reb1">.*?</tr>', html, re.S)[0]
    assert "0.900" in row
    assert "0.770" not in row


def test_versions_name_what_is_installed():
    versions = report.installed_versions()
    assert list(versions)[:2] == ["motifloom", "python"]
    assert versions["pandas"] == pd.__version__


def test_missing_template_is_an_input_error(make, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        make(template=tmp_path / "none.jinja")


# --- captions -------------------------------------------------------------------------------


@pytest.mark.parametrize("wildcards", [{"dataset": "HNF4A_*x"}, {}])
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.rst")), ids=lambda path: path.stem)
def test_captions_are_valid(path, wildcards):
    docutils = pytest.importorskip("docutils.core")
    text = path.read_text(encoding="utf-8")
    if "wildcards.dataset is defined" not in text and "wildcards" in text:
        wildcards = {"dataset": "HNF4A_*x"}
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
