"""Every substitution in the user's regions."""

import numpy as np
import pandas as pd
import pytest
import torch
from builders import genome_of, info_of, random_codes

from motifloom import inference, models
from motifloom.alleles import alleles_at
from motifloom.files import InputError
from motifloom.mutagenesis import mutate
from motifloom.region_mutagenesis import CHANGE_COLUMNS, MOST_BASES, mutate_regions
from motifloom.sequences import decode, extract_windows, reverse_complement
from motifloom.variants import score_variants

LENGTH = 21


@pytest.fixture
def genome(tmp_path):
    records = {f"chr{n}": decode(random_codes(n, 1, 90)[0]) for n in (1, 2)}
    records["chr2"] = records["chr2"][:40] + "NN" + records["chr2"][42:]
    records["long"] = "ACGT" * 300
    return genome_of(records, tmp_path / "genome.safetensors")


def weights_of(path, strands="given", both=False):
    torch.manual_seed(3)
    networks = [
        models.DeepBind(LENGTH, n_kernels=6, kernel_size=5, both_strands=both, place_bin=4)
        for _ in range(2)
    ]
    with torch.no_grad():
        for network in networks:
            network.conv.places.normal_()
            network.dense.weight.normal_()
    models.save(models.TrainedModel(networks, info_of(networks, strands=strands)), path)
    return path


def mutated(tmp_path, lines, drawn=0, **model):
    weights = weights_of(tmp_path / "weights.safetensors", **model)
    (tmp_path / "regions.bed").write_text("".join("\t".join(map(str, x)) + "\n" for x in lines))
    table, folder = tmp_path / "changes.tsv.gz", tmp_path / "drawn"
    genome, bed = tmp_path / "genome.safetensors", tmp_path / "regions.bed"
    mutate_regions(weights, genome, bed, table, folder, drawn=drawn)
    return inference.load(weights), pd.read_csv(table, sep="\t")


LINES = [("chr2", 30, 60, "a", 0, "+"), ("chr1", 0, 9, "b", 0, "-"), ("chr1", 50, 90, ".", 0, ".")]


@pytest.mark.parametrize(
    ("strands", "both"), [("given", False), ("given", True), ("mean", False), ("max", False)]
)
def test_changes_are_those_of_variants(tmp_path, genome, strands, both):
    """All 3 L substitutions equal score_variants' differences, and maps' columns in the middle."""
    lines = LINES[::2] if (strands, both) == ("given", False) else LINES
    model, table = mutated(tmp_path, lines, strands=strands, both=both)
    assert tuple(table.columns) == CHANGE_COLUMNS
    sizes = [end - start for _, start, end, *_ in lines]
    assert len(table) == 3 * (sum(sizes) - 2)  # but for two N
    four = list(zip(table.chrom, table.position, table.ref, table.alt, strict=True))
    effects = score_variants([model], genome, alleles_at(genome, four))
    np.testing.assert_allclose(table.change, effects.difference[:, 0], rtol=1e-5, atol=1e-6)

    starts = table.position.to_numpy() - 1 - LENGTH // 2
    windows = extract_windows(genome, table.chrom, starts, LENGTH)
    maps = mutate(models.load(tmp_path / "weights.safetensors"), windows)
    expected = maps[np.arange(len(table)), table.alt.map("ACGT".index), LENGTH // 2]
    np.testing.assert_allclose(table.change, expected, atol=1e-3)


def test_the_reverse_strand_is_read_where_it_matters(tmp_path, genome):
    _, table = mutated(tmp_path, LINES[1:2])
    assert table.position.tolist() == np.repeat(np.arange(1, 10), 3).tolist()
    own = "".join(table.ref[::3])
    assert own == decode(genome.codes("chr1")[:9])
    assert set(table.alt[:3]) == set("ACGT") - {own[0]}
    # Each base stands in the middle of the window that is read, which is that of the other strand.
    starts = table.position.to_numpy() - 1 - (LENGTH - 1 - LENGTH // 2)
    windows = reverse_complement(extract_windows(genome, table.chrom, starts, LENGTH))
    maps = mutate(models.load(tmp_path / "weights.safetensors"), windows)
    rows = 3 - table.alt.map("ACGT".index).to_numpy()
    expected = maps[np.arange(len(table)), rows, LENGTH // 2]
    np.testing.assert_allclose(table.change, expected, atol=1e-3)


def test_batches_make_no_difference_and_reruns_repeat(tmp_path, genome, monkeypatch):
    mutated(tmp_path, LINES, drawn=1)
    first = (tmp_path / "changes.tsv.gz").read_bytes()
    monkeypatch.setattr("motifloom.region_mutagenesis._AT_A_TIME", 10)
    mutated(tmp_path, LINES, drawn=1)
    assert (tmp_path / "changes.tsv.gz").read_bytes() == first


def test_the_first_intervals_are_drawn(tmp_path, genome):
    lines = [("nowhere", 0, 5, "x", 0, "+"), *LINES]
    _, table = mutated(tmp_path, lines, drawn=2)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["2.svg", "3.svg"]
    assert "chr2:31-60 (+)" in (tmp_path / "drawn/2.svg").read_text()
    assert table.interval.unique().tolist() == [2, 3, 4]


def test_long_intervals_are_refused(tmp_path, genome):
    with pytest.raises(InputError, match=r"interval long:1-1001 has 1001 bp; .* up to 1000 bp"):
        mutated(tmp_path, [("long", 0, MOST_BASES + 1)])
