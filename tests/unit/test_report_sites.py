from motifloom.report_results import Cell
from motifloom.report_sites import called_sites, site_points, site_table

RATES = ("precision", "recall", "f1")


def row(model="deepbind", split="test", dataset="a", note="", **values):
    found = {"dataset": dataset, "tf": "A", "model": model, "split": split, "n_sites": "1200"}
    found |= {"n_peaks": "80", "threshold_by": "validation", "tolerance": "50", "note": note}
    for name in RATES:
        value = values.get(name, 0.5)
        found |= {name: str(value), f"{name}_low": "0.25", f"{name}_high": "0.75"}
    return found


def missing(**values):
    found = row(**values)
    return found | {f"{name}{end}": "" for name in RATES for end in ("", "_low", "_high")}


CONFIGURATION = {
    "splits": {"test": {"chromosomes": ["chr1", "chr8"]}, "validation": {"chromosomes": ["chr9"]}},
    "tracks": {"fdr": 0.05},
}


def test_models_stand_beside_the_matrix_of_their_dataset_and_split():
    rows = [row(split="validation"), row(), row("pwm", f1=0.25), row(dataset="b")]
    called = called_sites(rows, {"a": "dataset-a"})
    assert [(one.name, one.own["split"], one.matrix.get("f1")) for one in called] == [
        ("a", "test", "0.25"),
        ("b", "test", None),
        ("a", "validation", None),
    ]
    table = site_table(called, CONFIGURATION)
    assert [(column.label, column.detail) for column in table.columns] == [
        ("Dataset", ""), ("TF", ""), ("Model", ""), ("Chromosomes", ""), ("Peaks", ""),
        ("Sites", ""), ("Precision", ""), ("Recall", ""), ("F1", ""), ("Sites", "PWM"),
        ("Precision", "PWM"), ("Recall", "PWM"), ("F1", "PWM"),
    ]  # fmt: skip
    assert table.rows[0][0] == Cell("a", sort="a", link="dataset-a")
    assert table.rows[0][5] == Cell("1,200", sort="1200")
    assert table.rows[0][8] == Cell("0.500", "0.250–0.750", "0.5")
    assert table.rows[0][12] == Cell("0.250", "0.250–0.750", "0.25")
    assert table.rows[1][12] == Cell()
    assert table.chosen == {"validation"} and table.fdr == "0.05" and table.tolerance == "50"
    assert table.chromosomes == [("test", "chr1 and chr8"), ("validation", "chr9")]
    assert table.matrix


def test_without_matrices_their_columns_are_left_out():
    table = site_table(called_sites([row()], {}), {})
    assert [column.detail for column in table.columns] == [""] * 9
    assert not table.matrix and table.chromosomes == []


def test_tolerances_are_told_by_model_where_they_differ():
    rows = [row(), row("danq") | {"tolerance": "100"}]
    table = site_table(called_sites(rows, {}), {})
    assert table.tolerance == "50 (DeepBind) or 100 (DanQ)"


def test_a_note_stands_once_in_its_row():
    rows = [row(), missing(dataset="b", note="no peak on these chromosomes")]
    cells = site_table(called_sites(rows, {}), {}).rows[1]
    assert [cell.detail for cell in cells] == [
        "", "", "", "", "", "", "no peak on these chromosomes", "", "",
    ]  # fmt: skip
    assert cells[6].tone == "missing"


def test_points_have_recall_precision_and_f1():
    rows = [row(precision=0.75, recall=0.25, f1=0.375), row("pwm"), missing(dataset="b")]
    assert site_points(called_sites(rows, {"a": "dataset-a"})) == [
        {"dataset": "a", "tf": "A", "anchor": "dataset-a", "model": "DeepBind", "split": "test",
         "own": [0.25, 0.75, 0.375], "matrix": [0.5, 0.5, 0.5]}
    ]  # fmt: skip


def test_no_sites():
    table = site_table(called_sites([], {}), {})
    assert table.rows == [] and table.columns == []
