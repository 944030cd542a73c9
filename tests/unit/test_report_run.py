import pytest
from atlas_inputs import MEME, run_of

from motifloom.files import InputError
from motifloom.report_run import Run, grouped, read_rows


def test_only_listed_files_are_read(tmp_path):
    run = run_of(tmp_path, {"metrics.tsv": [{"a": 1}], "old.tsv": [{"a": 2}]})
    run = Run.of(tmp_path, [tmp_path / "metrics.tsv", "/elsewhere/old.tsv", tmp_path / "drawn"])
    assert run.rows("metrics.tsv") == [{"a": "1"}]
    assert run.rows("old.tsv") == []
    assert run.path("drawn/1.svg") is None
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "1.svg").write_text("x")
    assert run.path("drawn/1.svg") == tmp_path / "drawn" / "1.svg"


def test_cells_are_text_and_na_is_empty(tmp_path):
    run = run_of(
        tmp_path, {"a.tsv": [{"name": 'a "b"', "value": None}, {"name": "", "value": 0.5}]}
    )
    assert run.rows("a.tsv") == [{"name": 'a "b"', "value": ""}, {"name": "", "value": "0.5"}]


def test_damaged_tables_and_cards_are_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Run.of(tmp_path, [tmp_path / "a.tsv"]).rows("a.tsv")
    run = run_of(tmp_path, {"a.tsv": "x\ty\n1\n", "card.json": "{"})
    with pytest.raises(InputError, match="line 2 has 1 cells, the header 2"):
        read_rows(tmp_path / "a.tsv")
    with pytest.raises(InputError, match="is not JSON"):
        run.json("card.json")
    assert run.json("none.json") == {}


def test_matrices_are_per_mille_by_column(tmp_path):
    run = run_of(tmp_path, {"motifs.meme": MEME})
    assert run.matrices("motifs.meme") == {"k00": "1000,0,0,0 100,200,300,400"}
    assert run.matrices("none.meme") == {}


def test_groups_keep_the_tables_order():
    rows = [{"a": "2"}, {"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert grouped(rows, "a") == {("2",): [rows[0], rows[2]], ("1",): [rows[1]]}
