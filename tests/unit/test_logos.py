import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from motifloom import logos
from motifloom.logos import COLOURS, draw_logo, draw_logos, draw_pair
from motifloom.motifs import Motif
from motifloom.sequences import encode, one_hot

MATCHES = pd.DataFrame(
    {
        "kernel": ["k00", "k01", "k02"],
        "rank": [1, 1, 1],
        "match": ["MA0265.3", "MA0363.3", ""],
        "match_name": ["ABF1", "REB1", ""],
        "evalue": [2.1e-8, 0.5, np.nan],
        "offset": [-1, 0, np.nan],
        "strand": ["-", "+", ""],
    }
)


def motif(name, sequence, **fields):
    return Motif(name, one_hot(encode(sequence)[None])[0].astype(float), n_sites=1234, **fields)


def texts(path):
    return re.findall(r"<text[^>]*>([^<]*)</text>", Path(path).read_text())


def test_draw_logo(tmp_path):
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    draw_logo(motif("k00", "GATTT"), svg, png, match="like ABF1 (E = 2e-08)")
    assert "k00" in texts(svg)
    assert "1,234 sites · 10.0 bits · like ABF1 (E = 2e-08)" in texts(svg)
    assert [text for text in texts(svg) if text in "012"] == ["1", "0", "1", "2"]
    drawn = svg.read_text().lower()
    assert drawn.count(COLOURS["T"].lower()) == 3
    assert drawn.count(COLOURS["G"].lower()) == 1
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_same_motif_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        draw_logo(motif("k00", "GA"), tmp_path / f"{name}.svg", tmp_path / f"{name}.png", "T$1$")
    for suffix in ("svg", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert "T$1$" in texts(tmp_path / "a.svg")


def test_rna_differs_from_dna_in_its_letter(tmp_path):
    for alphabet in ("dna", "rna"):
        draw_logo(
            motif("k00", "TTTT"),
            tmp_path / f"{alphabet}.svg",
            tmp_path / f"{alphabet}.png",
            alphabet=alphabet,
        )
    assert (tmp_path / "dna.svg").read_bytes() != (tmp_path / "rna.svg").read_bytes()


@pytest.mark.filterwarnings("ignore:Attempting to set identical")  # logomaker, of a flat one
@pytest.mark.parametrize("matrix", [np.full((4, 3), 0.25), np.array([[1.0, 0, 0, 0]]).T])
def test_flat_and_single_column_motifs_are_drawn(tmp_path, matrix):
    draw_logo(Motif("k00", matrix), tmp_path / "a.svg", tmp_path / "a.png")
    assert "k00" in texts(tmp_path / "a.svg")


def test_draw_logos(tmp_path, monkeypatch):
    monkeypatch.setattr(logos, "non_redundant", lambda motifs, limit, targets, both: motifs[:limit])
    folder = tmp_path / "logos"
    folder.mkdir()
    (folder / "old.svg").touch()
    motifs = [motif("k00", "GATT"), motif("k01", "CCCC"), motif("k02", "AAAA")]
    targets = [motif("MA0265.3", "ATC", alt_name="ABF1")]
    assert draw_logos(motifs, MATCHES, folder, limit=2, targets=targets) == motifs[:2]
    drawn = ["k00.pair.svg", "k00.png", "k00.svg", "k01.png", "k01.svg"]
    assert sorted(p.name for p in folder.iterdir()) == drawn
    assert texts(folder / "k00.pair.svg").count("k00") == 1
    assert "1,234 sites · 8.0 bits · like ABF1 (E = 2e-08)" in texts(folder / "k00.svg")
    assert "1,234 sites · 8.0 bits" in texts(folder / "k01.svg")


def test_draw_pair(tmp_path):
    target = motif("MA<1>", "ATC", alt_name="ABF1")
    for name in ("a", "b"):
        draw_pair(
            motif("k00", "AGATT"),
            target,
            tmp_path / f"{name}.svg",
            offset=-1,
            strand="-",
            evalue=2e-8,
        )
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    caption = "ABF1 (MA&lt;1&gt;) · reverse complement · E = 2e-08 · offset -1"
    assert {"k00", caption} <= set(texts(tmp_path / "a.svg"))
    # Both As of the motif; the target's only A is a T on its reverse strand, GAT.
    assert drawn.lower().count(COLOURS["A"].lower()) == 3


def test_pairs_stand_on_one_grid(tmp_path, monkeypatch):
    starts = []

    def letters(axes, matrix, letters, start=0):
        starts.append((matrix.shape[1], start))

    monkeypatch.setattr(logos, "_draw_letters", letters)
    for offset in (2, -3):
        draw_pair(
            motif("k00", "AGATT"),
            motif("m", "AGATTACA"),
            tmp_path / "a.svg",
            offset=offset,
            strand="+",
            evalue=1e-5,
        )
    assert starts == [(5, 0), (8, -2), (5, 0), (8, 3)]


def test_draw_logos_of_nothing_is_an_empty_folder(tmp_path):
    assert draw_logos([Motif("k00", np.full((4, 3), 0.25))], MATCHES, tmp_path / "logos", 5) == []
    assert list((tmp_path / "logos").iterdir()) == []


def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError

    monkeypatch.setattr(logos, "draw_logo", fail)
    folder = tmp_path / "logos"
    folder.mkdir()
    (folder / "old.svg").touch()
    with pytest.raises(RuntimeError):
        draw_logos([motif("k00", "GATT")], MATCHES, folder, limit=1)
    assert [p.name for p in tmp_path.rglob("*")] == ["logos", "old.svg"]


def test_the_reverse_complement_stands_beside(tmp_path):
    paths = [tmp_path / name for name in ("one.svg", "one.png", "two.svg", "two.png")]
    example = motif("k00", "GATTACA")
    draw_logo(example, *paths[:2])
    draw_logo(example, *paths[2:], both_ways=True)
    one, two = (paths[i].read_text() for i in (0, 2))
    assert "reverse complement" in two and "reverse complement" not in one
    assert two.count('<g id="axes_') == 2
