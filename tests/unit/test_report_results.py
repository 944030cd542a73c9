import pytest
from atlas_inputs import metric, run_of, scores

from motifloom import report_results as results
from motifloom.report_datasets import anchors, card_facts, make_entries, sites_of


@pytest.fixture
def entries(tmp_path):
    """Make the entries of a run of metrics (and other files)."""

    def make(records, **files):
        names = dict.fromkeys(record["dataset"] for record in records)
        sheet = [{"dataset": name, "tf": name.upper(), "motif": ""} for name in names]
        return make_entries(run_of(tmp_path, {"metrics.tsv": records, **files}), sheet, [])

    return make


def test_comparison_averages_only_datasets_that_have_both(entries):
    found = entries([
        metric("a", "deepbind", **scores(0.9)),
        metric("a", "pwm", **scores(0.7)),
        metric("b", "deepbind", **scores(0.5)),
    ])  # fmt: skip
    tile = results.comparison_tile(found, "deepbind", "auroc", "windows", "x")
    assert tile == results.Tile("0.900", "x", "PWM 0.700 · 1 dataset")
    alone = results.comparison_tile(found[1:], "deepbind", "auroc", "windows", "x")
    assert alone == results.Tile("0.500", "x", "1 dataset")
    assert results.comparison_tile(found, "danq", "auroc", "bins", "x") is None


def test_bar_spans_half_to_one():
    bar = results.auroc_bar({"auroc": 0.75, "auroc_low": 0.4, "auroc_high": 0.8}, {"auroc": 0.6})
    assert bar == results.Bar(value=50.0, low=0.0, high=60.0, reference=20.0)
    without = results.auroc_bar({"auroc": 1.0, "auroc_low": None, "auroc_high": None}, {})
    assert without == results.Bar(value=100.0, low=100.0, high=100.0, reference=None)


def test_columns_that_no_dataset_fills_are_left_out(entries):
    found = entries([
        metric("a", "deepbind", **scores(0.9)),
        metric("a", "pwm", **scores(0.7)),
        metric("a", "kmer", **scores(0.8)),
    ])  # fmt: skip
    columns = {column.label: column for column in results.result_columns(found)}
    assert list(columns) == [
        "Dataset", "TF", "Positives", "DeepBind AUROC", "PWM AUROC", "k-mers AUROC",
        "DeepBind AUPRC", "Motif", "Match", "Recovered",
    ]  # fmt: skip
    assert columns["DeepBind AUROC"].make(found[0]).bar.reference == 40.0
    assert columns["PWM AUROC"].make(found[0]).bar is None


def test_a_missing_metric_shows_its_note_and_goes_last(entries):
    (entry,) = entries([metric("a", "deepbind", n=12, n_positive=2, note="only 2 positives")])
    cell = results.metric_column("deepbind", "auroc", "windows").make(entry)
    assert (cell.text, cell.detail, cell.sort) == (results.NONE, "only 2 positives", "")


def test_an_ensembles_spread_is_explained(entries):
    alone = {"auroc_members_mean": 0.88, "auroc_members_sd": 0.00449, "members": 6}
    (entry,) = entries([metric("a", "deepbind", **scores(0.9) | alone)])
    cell = results.metric_column("deepbind", "auroc", "windows").make(entry)
    assert (cell.text, cell.sort, cell.spread.text) == ("0.900", "0.9", "±0.004")
    assert cell.spread.meaning == (
        "AUROC of the ensemble’s 6 members, each alone: 0.880 ± 0.004 (mean ± standard deviation)"
    )


def test_presets_of_one_network_share_a_column_and_the_first_counts(entries):
    (entry,) = entries(
        [
            metric("a", "deepbind", **scores(0.9)),
            metric("a", "deepbind-lecture", **scores(0.8)),
        ]
    )
    assert results.metric_column("deepbind", "auroc", "windows").make(entry).text == "0.900"


def test_anchors_are_distinct():
    assert anchors(["a b", "a-b", "a+b"]) == ["dataset-a-b", "dataset-a-b-", "dataset-a+b"]


def test_sites_are_the_peaks_read_or_those_of_the_splits(entries):
    record = metric("a", "deepbind", **scores(0.9))
    sites = [{"stage": f"{split} sites", "count": 10, "note": ""} for split in ("train", "test")]
    assert sites_of(*entries([record])) == 40
    assert sites_of(*entries([record], **{"sequences/a/qc.tsv": sites})) == 20
    peaks = [{"stage": "peaks read", "count": 99, "note": ""}]
    assert sites_of(*entries([record], **{"sequences/a/qc.tsv": peaks + sites})) == 99


def test_a_models_card_gives_facts_of_its_training():
    card = {"model": {"network": "DeepBind", "members": 6, "parameters": 12345}, "licence": None,
            "training": {"seed": 1, "epochs": 20.0, "setting": {}},
            "weights": {"sha256": "ab" * 32}}  # fmt: skip
    assert card_facts(card) == [
        ("network", "DeepBind"), ("parameters", "12,345"), ("members", "6"),
        ("training seed", "1"), ("epochs", "20"), ("weights sha256", "ab" * 12),
    ]  # fmt: skip
    assert card_facts({}) == []
