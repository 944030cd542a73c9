import json

from atlas_inputs import metric, run_of, scores

from motifloom import report_charts as charts
from motifloom.report_datasets import make_entries


def entries_of(run):
    return make_entries(run, [{"dataset": "a", "tf": "A", "motif": ""}], [])


def test_points_hold_every_models_value_by_kind_of_examples(tmp_path):
    records = [
        metric("a", "deepbind", **scores(0.9)),
        metric("a", "pwm", **scores(0.7)),
        metric("a", "deepbind", pearson=0.5, examples="bins", negatives="bins"),
        metric("a", "kmer", note="none"),
    ]
    found = charts.points(entries_of(run_of(tmp_path, {"metrics.tsv": records})))
    assert [(point["group"], point["metric"], sorted(point["scores"])) for point in found] == [
        ("windows against dinucleotide shuffles", "AUROC", ["DeepBind", "PWM"]),
        ("windows against dinucleotide shuffles", "AUPRC", ["DeepBind", "PWM"]),
        ("bins", "Pearson", ["DeepBind"]),
    ]
    assert found[0]["scores"]["DeepBind"] == [0.9, 0.85, 0.92]
    assert found[2]["scores"]["DeepBind"] == [0.5, None, None]
    assert (found[0]["dataset"], found[0]["anchor"], found[0]["sites"]) == ("a", "dataset-a", 40.0)


def test_reliability_is_the_calibrated_one_against_the_first_negatives(tmp_path):
    row = {"model": "deepbind", "bin": 1, "predicted": 0.1, "observed": 0.2, "low": 0.1,
           "high": 0.3, "n": 50, "negatives": "dinucleotide", "stage": "calibrated"}  # fmt: skip
    others = [{"model": "pwm"}, {"stage": "raw"}, {"negatives": "gc"}, {"model": "deepbind-2015"}]
    table = [row, *(row | {"predicted": 0.9} | other for other in others)]
    files = {"metrics.tsv": [metric("a", "deepbind", **scores(0.9))]}
    run = run_of(tmp_path, files | {"evaluation/a/reliability.tsv": table})
    (found,) = charts.reliability(run, entries_of(run))
    assert found["bins"] == [[0.1, 0.2, 0.1, 0.3, 50.0]]
    run = run_of(tmp_path, files)
    assert charts.reliability(run, entries_of(run)) == []


def test_learning_curves_take_the_first_negatives():
    rows = [
        {"dataset": "a", "n_train_positives": "10", "negatives": negatives, "auroc": "0.5"}
        for negatives in ("gc", "dinucleotide")
    ]
    assert charts.learning(rows) == [
        {"dataset": "a", "sites": 10.0, "metric": "AUROC", "value": 0.5}
    ]


def test_no_text_ends_a_script():
    hostile = "</script><!--<script>"
    inert = charts.inert_json({"a": hostile})
    assert "<" not in inert and json.loads(inert) == {"a": hostile}
    assert charts.inert_script(f"'{hostile}'") == r"'<\/script><\!--<script>'"


def test_the_bundles_fit_into_script_elements():
    for script in (charts.tables_script(), charts.figures_script()):
        assert "</script" not in script and "<!--" not in script
        assert "export{" not in script
    assert "window.jQuery=" in charts.tables_script()
    assert "window.vegaEmbed" in charts.figures_script()
