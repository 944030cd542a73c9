"""Scores along the genome: parts on disk, and bigWig files that others read."""

from types import SimpleNamespace

import numpy as np
import pytest
from builders import genome_of

from motifloom import tracks
from motifloom.files import InputError
from motifloom.genome_scan import scan_genome
from motifloom.tracks import Scan, Track, scan_part, write_bigwig, write_scan, write_track

pybigtools = pytest.importorskip("pybigtools")


class CountingModel:
    """Scores windows of 5 by their numbers of A and of known bases: two targets."""

    info = {"targets": ["A", "known"], "hyperparameters": {"length": 5}}  # noqa: RUF012

    def score(self, codes):
        return np.stack([(codes == 0).sum(1), (codes < 4).sum(1)], 1).astype(np.float32)


RECORDS = {"chr2": "ACGTAAAAACGTACGTAAAAA", "chr10": "CCCCCAAAAACCC", "chr1": "AAAAA"}
MODEL = CountingModel()


def values_of(genome, chrom, step, column):
    """What `scan_genome` gives along a chromosome, float32 [n]."""
    stretches = scan_genome([MODEL], genome, step, [chrom])
    return np.concatenate([stretch.scores[:, column] for stretch in stretches])


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The two parts of a small genome, scored every 4 bases, in blocks of 3 steps."""
    monkeypatch.setattr(tracks, "BLOCK", 3)
    monkeypatch.setattr(tracks, "load_model", lambda weights, device: MODEL)
    genome_of(RECORDS, tmp_path / "genome.safetensors")
    paths = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    for part, path in enumerate(paths, start=1):
        scan_part("w", tmp_path / "genome.safetensors", path, part=part, parts=2, step=4)
    return paths


def test_parts_hold_all_chromosomes_once(parts):
    first, second = map(Scan.open, parts)
    assert first.lengths == {"chr2": 21}
    assert second.lengths == {"chr10": 13, "chr1": 5}
    assert first.targets == second.targets == ["A", "known"]


@pytest.mark.parametrize(("target", "column"), [("A", 0), ("known", 1)])
def test_a_part_gives_the_scores_of_one_target(parts, target, column):
    genome = genome_of(RECORDS)
    for scan in map(Scan.open, parts):
        for chrom in scan.lengths:
            found = np.concatenate(list(scan.blocks(chrom, target)))
            np.testing.assert_array_equal(found, values_of(genome, chrom, 4, column))


def test_more_parts_than_chromosomes_leave_empty_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(tracks, "load_model", lambda weights, device: MODEL)
    genome_of(RECORDS, tmp_path / "g.safetensors")
    for part in range(1, 6):
        path = tmp_path / f"{part}.safetensors"
        scan_part("w", tmp_path / "g.safetensors", path, part=part, parts=5, step=4)
    scans = [Scan.open(tmp_path / f"{part}.safetensors") for part in range(1, 6)]
    assert [list(scan.lengths) for scan in scans] == [["chr2"], ["chr10"], ["chr1"], [], []]
    every = [tmp_path / f"{part}.safetensors" for part in range(5, 0, -1)]
    write_track(every, "A", tmp_path / "a.bw")
    assert set(Track(tmp_path / "a.bw", 4).lengths) == set(RECORDS)


def test_a_track_has_one_value_a_step(parts, tmp_path):
    write_track(parts, "A", tmp_path / "a.bw")
    track, genome = Track(tmp_path / "a.bw", 4), genome_of(RECORDS)
    assert track.lengths == {"chr1": 5, "chr10": 13, "chr2": 21}
    for chrom in RECORDS:
        np.testing.assert_array_equal(track.scores(chrom), values_of(genome, chrom, 4, 0))


def test_other_readers_find_the_same_intervals(parts, tmp_path):
    pyBigWig = pytest.importorskip("pyBigWig")
    write_track(parts, "A", tmp_path / "a.bw")
    with pyBigWig.open(str(tmp_path / "a.bw")) as file:
        assert file.chroms() == {"chr1": 5, "chr10": 13, "chr2": 21}
        # Names in the order of their bytes: so the index of a bigWig is searched.
        assert list(file.chroms()) == ["chr1", "chr10", "chr2"]
        assert file.header()["nBasesCovered"] == 5 + 13 + 21
        assert file.intervals("chr1") == ((0, 4, 5.0), (4, 5, 1.0))
        assert file.intervals("chr10", 8, 13) == ((8, 12, 2.0), (12, 13, 0.0))
        mean = file.stats("chr10", 0, 13, type="mean", exact=True)[0]
        assert mean == pytest.approx(sum(values_of(genome_of(RECORDS), "chr10", 4, 0)[:3]) * 4 / 13)


def test_the_same_parts_give_the_same_bytes(parts, tmp_path):
    write_track(parts, "A", tmp_path / "a.bw")
    write_track(parts, "A", tmp_path / "b.bw")
    assert (tmp_path / "a.bw").read_bytes() == (tmp_path / "b.bw").read_bytes()


def test_windows_of_n_have_no_score(tmp_path):
    genome = genome_of({"chr1": "ACGTNNNNNNNNACGTACGT"})
    write_scan(MODEL, genome, ["chr1"], 2, tmp_path / "s.safetensors", 0.4)
    (found,) = Scan.open(tmp_path / "s.safetensors").blocks("chr1", "known")
    # Windows of 5 around bases 1, 3, 5, ...; beyond the ends nothing counts as N.
    assert np.isnan(found).tolist() == [False] * 2 + [True] * 4 + [False] * 4
    write_track([tmp_path / "s.safetensors"], "known", tmp_path / "s.bw")
    np.testing.assert_array_equal(Track(tmp_path / "s.bw", 2).scores("chr1"), found)


def test_the_target_of_a_single_dataset_goes_by_its_name(tmp_path):
    class One(CountingModel):
        info = {"targets": ["TF1"], "dataset": "set1", "hyperparameters": {"length": 5}}  # noqa: RUF012

        def score(self, codes):
            return super().score(codes)[:, :1]

    write_scan(One(), genome_of(RECORDS), ["chr1"], 4, tmp_path / "s.safetensors", 1.0)
    assert Scan.open(tmp_path / "s.safetensors").targets == ["set1"]


def test_a_target_that_was_left_out_is_named(parts, tmp_path):
    with pytest.raises(InputError, match=r"no target 'GATA1'.*tracks: datasets"):
        write_track(parts, "GATA1", tmp_path / "a.bw")


def test_nothing_but_n_is_told(tmp_path):
    blocks = [("chr1", 10, np.full(3, np.nan, np.float32))]
    with pytest.raises(InputError, match="no step has a score"):
        write_bigwig(blocks, {"chr1": 30}, tmp_path / "a.bw")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [ValueError("boom"), KeyboardInterrupt(15)])
def test_a_failure_while_scores_come_leaves_no_file(tmp_path, failure):
    def blocks():
        yield "chr1", 10, np.ones(3, np.float32)
        raise failure

    with pytest.raises(type(failure)):
        write_bigwig(blocks(), {"chr1": 30}, tmp_path / "a.bw")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    class Full:
        def write(self, chroms, values):
            next(values)
            raise RuntimeError("closed")

    monkeypatch.setattr(pybigtools, "open", lambda path, mode="r": Full())
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    blocks = [("chr1", 10, np.ones(3, np.float32))]
    with pytest.raises(InputError, match="no space is left"):
        write_bigwig(blocks, {"chr1": 30}, tmp_path / "a.bw")


def test_another_failure_of_the_writer_is_no_full_disk(tmp_path, monkeypatch):
    class Panic(BaseException):
        pass

    class Broken:
        def write(self, chroms, values):
            next(values)
            raise Panic("disconnected")

    monkeypatch.setattr(pybigtools, "open", lambda path, mode="r": Broken())
    blocks = [("chr1", 10, np.ones(3, np.float32))]
    with pytest.raises(RuntimeError, match="disconnected"):
        write_bigwig(blocks, {"chr1": 30}, tmp_path / "a.bw")


def test_what_is_no_part_or_track_is_refused(tmp_path):
    genome_of(RECORDS, tmp_path / "g.safetensors")
    with pytest.raises(InputError, match="holds no scores"):
        Scan.open(tmp_path / "g.safetensors")
    (tmp_path / "a.bw").write_text("no bigWig")
    with pytest.raises(InputError, match="no bigWig"):
        Track(tmp_path / "a.bw", 10)


def test_long_chromosomes_are_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(tracks, "_READ", 64)
    scores = np.random.default_rng(0).normal(size=101).astype(np.float32)
    scores[7:30] = np.nan
    write_bigwig([("c", 10, scores[:50]), ("c", 10, scores[50:])], {"c": 1003}, tmp_path / "a.bw")
    np.testing.assert_array_equal(Track(tmp_path / "a.bw", 10).scores("c"), scores)
