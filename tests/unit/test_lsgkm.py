"""LS-GKM's programs as the library calls them, with stand-ins that note what they are given."""

import os

import numpy as np
import pytest
from builders import random_codes, store_of

from motifloom import lsgkm
from motifloom.baselines import read_scores
from motifloom.files import InputError
from motifloom.sequences import encode

# It keeps its arguments and both FASTA files where the test looks.
TRAIN = """#!/bin/sh
echo "$@" > "$NOTES/train.txt"
for last; do pair=$before; before=$unbound; unbound=$prefix; prefix=$last; done
cp "$before" "$NOTES/bound.fa"
cp "$unbound" "$NOTES/unbound.fa"
echo model > "$prefix.model.txt"
"""
# Its scores are the numbers of Cs.
PREDICT = """#!/bin/sh
test "$(cat "$2")" = model || exit 1
cp "$1" "$NOTES/test.fa"
awk '/^>/ {id = substr($1, 2); next} {print id "\\t" gsub("C", "")}' "$1" > "$3"
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts programs on the path; it returns the folder of their notes."""
    folder, notes = tmp_path / "bin", tmp_path / "notes"
    folder.mkdir()
    notes.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("NOTES", str(notes))

    def put(**scripts):
        for name, text in ({"gkmtrain": TRAIN, "gkmpredict": PREDICT} | scripts).items():
            if text:
                (folder / name).write_text(text)
                (folder / name).chmod(0o755)
        return notes

    return put


def site_store(n=6, length=20, **info):
    codes = random_codes(0, n, length)
    split = np.resize(["train", "train", "test"], n)
    return store_of(codes, np.ones(n), split, **{"negatives": "dinucleotide"} | info)


def fit(tmp_path, store, **changes):
    store.write(tmp_path / "store.safetensors")
    settings = {"seed": 1, "negatives_per_positive": 3, "most_positives": 100, "cache_mb": 50}
    output = tmp_path / "scores.safetensors"
    lsgkm.fit_lsgkm(tmp_path / "store.safetensors", output, **settings | changes)
    return read_scores(output, len(store.rows("test")))


def records(path):
    return path.read_text().split()[1::2]


def test_what_the_programs_are_given(tmp_path, programs):
    notes, store = programs(), site_store()
    about, scores = fit(tmp_path, store)
    arguments = (notes / "train.txt").read_text().split()
    assert arguments[:10] == ["-t", "4", "-l", "11", "-k", "7", "-d", "3", "-m", "50"]
    assert len(arguments) == 13
    bound, unbound = records(notes / "bound.fa"), records(notes / "unbound.fa")
    np.testing.assert_array_equal([encode(s) for s in bound], store.codes[[0, 1, 3, 4]])
    assert len(unbound) == 3 * len(bound)
    assert (notes / "test.fa").read_text().split()[::2] == [">0", ">1"]
    assert about == {"model": "lsgkm", "preset": "wgkm l=11 k=7 d=3", "members": 1}
    assert scores.tolist() == (store.codes[[2, 5]] == 1).sum(1).tolist()


def test_nothing_is_left_behind(tmp_path, programs, monkeypatch):
    programs()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    fit(tmp_path, site_store())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_only_the_strongest_positives(tmp_path, programs):
    notes, store = programs(), site_store(n=9)
    fit(tmp_path, store, most_positives=2)
    assert len(records(notes / "bound.fa")) == 2
    assert len(records(notes / "unbound.fa")) == 6


def test_rna_is_read_on_its_own_strand(tmp_path, programs):
    notes = programs()
    fit(tmp_path, site_store(alphabet="rna"))
    assert "-R" in (notes / "train.txt").read_text().split()
    assert "U" not in "".join(records(notes / "bound.fa"))


def test_outer_unknown_bases_are_cut_off(tmp_path):
    words = ["NNACGTNACGTACGTNNN", "NNNNNNNNNNNNNNNNNN", "ACGNNNNNNNNNNNNNNN"]
    lsgkm.write_fasta(np.stack([encode(word) for word in words]), tmp_path / "a.fa")
    expected = ">0\nACGTNACGTACGT\n>1\nNNNNNNNNNNN\n>2\nACGNNNNNNNN\n"
    assert (tmp_path / "a.fa").read_text() == expected


def test_a_test_split_without_examples(tmp_path, programs):
    programs(gkmtrain="", gkmpredict="")
    store = site_store()
    store.split[:] = 0
    assert fit(tmp_path, store)[1].shape == (0,)


@pytest.mark.parametrize("missing", ["gkmtrain", "gkmpredict"])
def test_a_missing_program_is_named_with_the_remedy(tmp_path, programs, missing):
    programs(**{missing: ""})
    with pytest.raises(InputError, match=f"{missing}: is not installed; .*--sdm conda.*ls-gkm"):
        fit(tmp_path, site_store())
    assert not (tmp_path / "scores.safetensors").exists()


def test_a_program_that_fails_is_quoted(tmp_path, programs):
    programs(gkmtrain="#!/bin/sh\necho reading\necho out of memory\nexit 3\n")
    with pytest.raises(InputError, match=r"gkmtrain: ended with status 3 \(out of memory\)"):
        fit(tmp_path, site_store())


@pytest.mark.parametrize(
    ("text", "count"),
    [("#!/bin/sh\nexit 0\n", 0), ('#!/bin/sh\nprintf "0\\t1.5\\n" > "$3"\n', 1)],
)
def test_scores_that_are_missing_are_noticed(tmp_path, programs, text, count):
    programs(gkmpredict=text)
    with pytest.raises(InputError, match=f"wrote {count} scores of 2 test sequences"):
        fit(tmp_path, site_store())


@pytest.mark.parametrize("length", [10, 2048])
def test_sequences_that_it_cannot_take(tmp_path, programs, length):
    programs()
    with pytest.raises(InputError, match=f"have {length} bases, LS-GKM takes 11 to 2047"):
        fit(tmp_path, site_store(length=length))
