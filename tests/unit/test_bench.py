import random
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from motifloom.files import read_table
from motifloom.readers import read_peaks, rename_chromosomes
from motifloom.sequences import Genome

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import bench

    return bench


@pytest.fixture
def harness(bench):
    return bench.harness


def fake_rows(harness, calls):
    """A subject of two rows: one counts its calls, the other lacks its reference."""

    def setup(folder):
        assert folder.is_dir()
        return harness.Pair(
            ours=lambda: calls.append("ours") or 7,
            reference=lambda: calls.append("reference") or 7,
            n_ours=1000,
            n_reference=10,
            check=lambda ours, reference: calls.append(f"check {ours} {reference}"),
        )

    def missing(folder):
        raise harness.Skip("the tool fetch-it is not installed")

    return [
        harness.Row("fake-counting", "calls/s", setup, "on made-up input"),
        harness.Row("fake-missing", "calls/s", missing),
    ]


def test_ratio_is_of_the_medians(harness):
    pair = harness.Pair(int, int, n_ours=100, n_reference=10, check=max)
    result = harness.summarise(pair, [1.0, 2.0, 9.0], [10.0, 4.0, 5.0])
    assert (result.ours, result.reference, result.ratio) == (50, 2, 25)
    # Of single turns: 10 * 10 / 1, 10 * 4 / 2 and 10 * 5 / 9.
    assert result.highest == 100
    assert result.lowest == pytest.approx(50 / 9)


def test_measures_in_turn_after_a_checked_warm_up(harness, tmp_path):
    calls = []
    pair = fake_rows(harness, calls)[0].setup(tmp_path)
    ours, reference = harness.measure(pair, 3)
    assert calls == ["ours", "reference", "check 7 7"] + ["ours", "reference"] * 3
    assert len(ours) == len(reference) == 3
    assert min(ours + reference) > 0


def test_a_failed_check_stops_the_run(harness):
    def differ(ours, reference):
        raise AssertionError("they differ")

    pair = harness.Pair(int, int, 1, 1, differ)
    rows = [harness.Row("fake-wrong", "calls/s", lambda folder: pair)]
    with pytest.raises(AssertionError, match="they differ"):
        list(harness.run(rows, Path(), 1))


def test_prints_aligned_lines_and_writes_the_table(bench, harness, tmp_path, capsys):
    output = tmp_path / "results" / "bench.tsv"
    options = bench.parse(["--output", str(output), "--repeats", "2"])
    bench.main(fake_rows(harness, []), options)
    header, counting, missing = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "unit", "ours", "reference", "ratio", "range"]
    assert counting.startswith("fake-counting calls/s ")
    assert counting.endswith("  on made-up input")
    assert missing.startswith("fake-missing  calls/s ")
    assert missing.endswith("skipped: the tool fetch-it is not installed")
    assert output.read_text().splitlines()[0] == "name\tunit\tours\treference\tratio"
    table = read_table(output)
    assert table["name"].tolist() == ["fake-counting"]
    assert table["unit"].tolist() == ["calls/s"]
    np.testing.assert_allclose(table["ratio"], table["ours"] / table["reference"], rtol=1e-4)


def test_numbers_line_up_with_their_headings(harness):
    row = harness.Row("fake-counting", "calls/s", lambda folder: None)
    result = harness.Result(ours=1234567.8, reference=12.345, ratio=0.5, lowest=0.25, highest=60)
    header, line = harness.header(13), harness.line(row, result, 13)
    assert line.split()[2:] == ["1,234,568", "12.35", "0.50", "0.25", "to", "60.0"]
    for heading, number in (("ours", "1,234,568"), ("reference", "12.35"), ("ratio", " 0.50")):
        assert header.index(heading) + len(heading) == line.index(number) + len(number)


def test_a_note_may_be_made_of_the_result(harness):
    row = harness.Row("fake", "calls/s", lambda folder: None, lambda result: f"{result.ours:.0f}!")
    assert harness.line(row, harness.Result(7.0, 1.0, 7.0, 6.0, 8.0), 4).endswith("  7!")


def test_only_takes_rows_by_the_beginning_of_their_names(bench, harness, capsys):
    calls = []
    bench.main(fake_rows(harness, calls), bench.parse(["--only", "fake-m"]))
    assert "fake-counting" not in capsys.readouterr().out
    assert calls == []
    with pytest.raises(SystemExit, match="'fak-'; there are fake-counting, fake-missing"):
        bench.main(fake_rows(harness, calls), bench.parse(["--only", "fak-"]))


def test_repeats_below_one_are_refused(bench, capsys):
    with pytest.raises(SystemExit):
        bench.parse(["--repeats", "0"])
    assert "--repeats must be at least 1" in capsys.readouterr().err


def test_rows_have_names_of_their_own_and_rates(bench):
    rows = bench.all_rows()
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {name.split("-")[0] for name in names} == {
        "extract",
        "loading",
        "scan",
        "ism",
        "train",
        "shuffle",
        "bootstrap",
        "motifs",
        "danq",
        "genome",
        "variants",
        "report",
    }
    assert all(row.unit.endswith("/s") for row in rows)


def test_a_row_may_be_given_fewer_turns(harness, tmp_path):
    calls = []
    setup = fake_rows(harness, calls)[0].setup
    for turns, expected in ((None, 4), (1, 2), (9, 4)):
        calls.clear()
        list(harness.run([harness.Row("fake", "calls/s", setup, turns=turns)], tmp_path, 3))
        assert calls.count("ours") == expected


@pytest.fixture
def small_models(bench, monkeypatch):
    """Two models of two members and five kernels, and a genome of 3,000 bases for benchmarks."""
    import extraction
    import trained

    codes = np.random.default_rng(0).integers(0, 4, 3_000, dtype=np.uint8)
    genome = Genome(["chrIV"], [len(codes)], codes)
    monkeypatch.setattr(extraction, "encoded_genome", lambda folder: (None, genome))
    models = trained.deepbinds(2, 2, 5)
    monkeypatch.setattr(trained, "deepbinds", lambda: models)
    return models


@pytest.mark.parametrize("once", [False, True])
def test_plain_scans_of_a_genome_agree_with_ours(harness, small_models, tmp_path, once):
    import genomes

    pair = genomes.against_conv1d(tmp_path, 600, once, 1_000, small_models)
    reference = pair.reference()
    assert reference.shape == (60, 2)
    pair.check(pair.ours(), reference)
    assert (pair.n_ours, pair.n_reference) == (1_000, 600)


def test_fimo_reads_as_many_matrices_as_there_are_kernels(harness, small_models, tmp_path):
    import genomes

    pair = genomes.against_fimo(tmp_path, 2_000, small_models)
    hits = pair.reference()
    assert len(hits) == 2 * 2 * 5
    pair.check(pair.ours(), hits)


def test_plain_scores_of_variants_agree_with_ours(harness, small_models, tmp_path):
    import variants

    pair = variants.against_textbook(tmp_path, 40, 30, small_models)
    ours, reference = pair.ours(), pair.reference()
    assert reference.shape == (30, 2)
    assert np.abs(reference).max() > 0
    pair.check(ours, reference)
    with pytest.raises(AssertionError):
        pair.check(ours + 0.1, reference)


def test_whole_jobs_are_measured(small_models, capsys):
    import demands
    import extraction

    genome = extraction.encoded_genome(None)[1]
    differing, (seconds, of_cores) = demands.score(genome, 30, 5, (-20, 20))
    assert differing == 0
    assert seconds > 0 < of_cores
    assert demands.scan(genome)[0] == 3_000
    assert demands.told("something", (3.0, 5.0), 10.0, (4, 20))
    assert not demands.told("something", (3.0, 5.0), 30.0, (4, 20))
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first == "something: 3.0 s (5.0 s of all cores), at most 10 MB (allowed 4 s, 20 MB): kept"
    )
    assert second.endswith("MISSED")


@pytest.mark.parametrize("sequence", ["A", "AC", "AAAA", "ACGTTGCAACGGATNNACGT"])
def test_the_shuffle_measured_against_keeps_dinucleotides(bench, sequence):
    import shuffling

    rng = random.Random(0)
    shuffles = [shuffling.altschul_erickson(sequence, rng) for _ in range(20)]
    for shuffled in shuffles:
        assert sorted(pairwise(shuffled)) == sorted(pairwise(sequence))
        assert (shuffled[0], shuffled[-1]) == (sequence[0], sequence[-1])
    assert len(set(shuffles)) == (20 if len(sequence) > 4 else 1)


@pytest.fixture
def scale(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import scale

    return scale


def test_simulated_inputs_are_kept(scale, tmp_path):
    fasta, peaks = scale.make_inputs(tmp_path / "inputs", 3, 1e-4)
    assert list(peaks) == ["track0001", "track0002", "track0003"]
    genome = Genome.open(fasta)
    assert genome.names == list(scale.HG38)
    assert genome.lengths["chr1"] == round(248956422 * 1e-4)
    for path in peaks.values():
        table, n_unknown = rename_chromosomes(read_peaks(path), genome.lengths, {}, path)
        assert 2 <= len(table) <= 5
        assert n_unknown == 0
    before = {path: path.stat().st_mtime_ns for path in (fasta, *peaks.values())}
    scale.make_inputs(tmp_path / "inputs", 3, 1e-4)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_lines_of_a_simulated_record(scale):
    bases = np.frombuffer(b"ACGT" * 31, np.uint8)
    lines = scale._lines(bases).split(b"\n")
    assert [len(line) for line in lines] == [60, 60, 4, 0]
    assert b"".join(lines) == bases.tobytes()
    assert scale._lines(bases[:60]) == bases[:60].tobytes() + b"\n"


def test_the_stages_of_a_scale(scale, tmp_path):
    fasta, peaks = scale.make_inputs(tmp_path, 2, 0.001)
    genome, store = tmp_path / "genome.safetensors", tmp_path / "bins.safetensors"
    seconds, rate, memory = scale.in_process(partial(scale.encode, fasta, genome))
    assert seconds > 0
    assert rate * seconds == pytest.approx(sum(Genome.open(genome).lengths.values()) / 1e6)
    assert memory > 10
    seconds, rate = scale.label(peaks, genome, store, 1)
    assert rate * seconds == pytest.approx(2)
    for augmented in (False, True):
        seconds, rate = scale.stream(store, genome, 50, True, augmented, 120)
        # Whole batches are read.
        assert rate * seconds == pytest.approx(150)
