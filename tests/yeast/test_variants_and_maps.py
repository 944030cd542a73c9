"""Variants of real sites are scored as maps of substitutions have them: make test-yeast.

At 100 sites of Reb1 and of Abf1 every substitution in the 101 bases around is a variant: 60,600 of
them. What `score_variants` says of both alleles is held against `mutate` of the same bases, in the
variant's own window and, by a shift, in the site's. The largest differences are printed.
"""

from pathlib import Path

import numpy as np
import pytest

from motifloom import inference
from motifloom.alleles import Alleles, reference_windows
from motifloom.models import load
from motifloom.mutagenesis import mutate
from motifloom.sequences import Genome
from motifloom.store import SequenceStore
from motifloom.variants import score_variants

RESULTS = Path(__file__).resolve().parents[2] / "results/yeast"
GENOME = RESULTS / "genome/genome.safetensors"
TFS = ["Reb1", "Abf1"]
N_SITES, LENGTH = 100, 101
# Logits. Scores of alleles are computed in fixed point, each to 1e-3.
TOLERANCE = 2e-3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GENOME.exists(), reason="make test-yeast prepares the models"),
]


class Site:
    """Models of a TF, windows around its sites and every substitution in them as an allele."""

    def __init__(self, tf):
        path = RESULTS / f"models/deepbind/{tf}/weights.safetensors"
        if not path.exists():
            pytest.skip(f"{tf} has not been trained here: make test-yeast")
        self.tf = tf
        self.network, self.model = load(path), inference.load(path)
        self.genome = Genome.open(GENOME)
        store = SequenceStore.open(RESULTS / f"sequences/{tf}/sequences.safetensors")
        rows = np.flatnonzero(np.asarray(store.kind) == store.info["kinds"].index("site"))
        rows = rows[:N_SITES]
        names = np.array(store.info["chromosomes"], object)[store.chrom[rows]]
        self.chrom = self.genome.indices(names).astype(np.int32)  # [sites]
        self.begin = np.asarray(store.start[rows], np.int64)
        # [sites, LENGTH, 3]: the alleles' places and bases
        places = self.begin[:, None, None] + np.arange(LENGTH)[:, None]
        flat = self.genome.offsets[self.chrom][:, None, None] + places
        self.start = np.broadcast_to(places, (len(rows), LENGTH, 3))
        self.alt = (self.genome.flat[flat] + np.arange(1, 4, dtype=np.uint8)) % 4

    def alleles(self, columns):
        """Alleles of some columns of the windows, in the order [sites, columns, 3]."""
        start, alt = self.start[:, columns].ravel(), self.alt[:, columns].ravel()
        n = len(start)
        chrom = np.repeat(self.chrom, n // len(self.chrom))
        return Alleles(chrom, start, np.ones(n, np.int32), alt, np.arange(n + 1))

    def scores(self, columns, shifts=()):
        return score_variants([self.model], self.genome, self.alleles(columns), shifts)


@pytest.fixture(scope="module", params=TFS)
def site(request):
    return Site(request.param)


def told(capsys, tf, what, ours, maps):
    """Print how far scores and maps are apart, and return the largest difference."""
    largest = float(np.abs(ours - maps).max())
    r = np.corrcoef(ours, maps)[0, 1]
    with capsys.disabled():
        print(
            f"\n{tf}, {what}: {len(ours):,} variants, largest difference {largest:.2g}, r {r:.8f}"
        )
    return largest


def entries(maps, column, alt):
    """Entries [n, 3] of maps [n, 4, L]: one column's, of alternative bases [n, 3]."""
    return np.take_along_axis(maps[:, :, column], alt.astype(np.int64), axis=1)


def test_in_the_variants_own_window(site, capsys):
    """The centred difference of every allele is its entry in the map of the window around it."""
    everywhere = np.arange(LENGTH)
    effects = site.scores(everywhere)
    alleles = site.alleles(everywhere)
    # The three alleles of a place share their window.
    windows = reference_windows(site.genome, alleles.take(np.arange(0, len(alleles), 3)), LENGTH)
    maps = mutate(site.network, windows)
    expected = entries(maps, LENGTH // 2, site.alt.reshape(-1, 3)).ravel()
    largest = told(capsys, site.tf, "own windows", effects.difference[:, 0], expected)
    assert largest < TOLERANCE
    np.testing.assert_allclose(
        effects.reference[::3, 0], site.model.score(windows)[:, 0], atol=TOLERANCE / 2
    )


def test_in_the_sites_window(site, capsys):
    """Shifted onto the site's window, the larger score is that of the site's map, or the centred.

    Windows are moved by what lies between the variant and the middle of the site's window. Where
    that window wins for both alleles, the difference is the map's entry itself.
    """
    middle = site.alleles([LENGTH // 2])
    windows = reference_windows(site.genome, middle.take(np.arange(0, len(middle), 3)), LENGTH)
    maps = mutate(site.network, windows)
    own = site.model.score(windows)  # [sites, 1]
    ours, expected, plain = [], [], []
    for column in range(1, LENGTH - 1):  # further shifts leave the variant behind
        effects = site.scores([column], shifts=(LENGTH // 2 - column,))
        change = entries(maps, column, site.alt[:, column]).ravel()
        reference = np.repeat(own[:, 0], 3)
        ours.append([effects.reference_best[:, 0], effects.alternative_best[:, 0]])
        wins = np.array([reference, reference + change])
        centred = np.array([effects.reference[:, 0], effects.alternative[:, 0]])
        expected.append(np.maximum(wins, centred))
        plain.append((wins > centred).all(axis=0))
    ours, expected = (np.concatenate(parts, axis=1) for parts in (ours, expected))
    plain = np.concatenate(plain)
    assert np.abs(ours - expected).max() < TOLERANCE / 2 + 1e-5
    differences = [(scores[1] - scores[0])[plain] for scores in (ours, expected)]
    assert told(capsys, site.tf, "sites' windows", *differences) < TOLERANCE
    assert plain.mean() > 0.5
