"""The fixed-point scan against the models' own scores."""

import numpy as np
import pytest
from builders import genome_of
from test_alleles import alleles_of

from motifloom import fixed_point, threads
from motifloom.alleles import Alleles, left_aligned
from motifloom.files import InputError
from motifloom.genome_scan import _score_each as score_each_step
from motifloom.genome_scan import scan_genome
from motifloom.inference import DeepBindArrays, DeepBindModel
from motifloom.networks import n_places
from motifloom.sequences import decode
from motifloom.variants import Effects, _score_each, score_variants

FIELDS = tuple(Effects.__dataclass_fields__)
SCORES = FIELDS[:4]
# Length, kernels, their width, both strands, bases that share a place's bias.
SHAPES = [
    (101, 40, 12, True, 5),
    (40, 33, 7, False, 0),
    (31, 5, 12, True, 3),
    (24, 64, 20, True, 1),
    (25, 4, 20, True, 1),
    (30, 3, 26, True, 9),
    (12, 3, 12, True, 5),
]


def network_of(shape, rng):
    length, n_kernels, width, both, place_bin = shape
    rows = n_places(length - width + 1, place_bin)
    settings = {
        "length": length,
        "n_kernels": n_kernels,
        "kernel_size": width,
        "both_strands": both,
        "place_bin": place_bin,
        "pooling": "max",
        "padding": False,
        "hidden_units": 0,
        "n_targets": 1,
    }
    draw = lambda *size: rng.normal(size=size).astype(np.float32)  # noqa: E731
    return DeepBindArrays(
        draw(n_kernels, 4, width),
        draw(n_kernels) - 1,
        draw(rows, n_kernels) if rows else None,
        None,
        (draw(1, n_kernels) / n_kernels, draw(1)),
        settings,
    )


def model_of(shape, seed=0, members=2, **info):
    rng = np.random.default_rng(seed)
    networks = [network_of(shape, rng) for _ in range(members)]
    described = {"strands": "given", "targets": ["TF"], "target_scale": 1.5, "target_mean": 0.25}
    return DeepBindModel(networks, {"hyperparameters": networks[0].settings} | described | info)


def random_genome(seed, *lengths, unknown=0.01):
    rng = np.random.default_rng(seed)
    letters = np.array(list("ACGTN"))
    odds = [(1 - unknown) / 4] * 4 + [unknown]
    drawn = ("".join(rng.choice(letters, size=n, p=odds)) for n in lengths)
    return genome_of({f"chr{i + 1}": text for i, text in enumerate(drawn)})


def random_alleles(seed, genome, n, longest=4):
    """Substitutions, insertions and deletions anywhere, some of them twice."""
    rng = np.random.default_rng(seed)
    chrom = rng.integers(len(genome.names), size=n).astype(np.int32)
    length = (genome.ends - genome.offsets)[chrom]
    start = (rng.random(n) * length).astype(np.int64)
    n_ref = np.where(rng.random(n) < 0.5, 1, rng.integers(0, longest, size=n))
    n_alt = np.where(rng.random(n) < 0.5, 1, rng.integers(0, longest, size=n))
    return Alleles(
        chrom,
        start,
        np.minimum(n_ref, length - start).astype(np.int32),
        rng.integers(4, size=n_alt.sum(), dtype=np.uint8),
        np.concatenate([[0], np.cumsum(n_alt)]),
    )


def rounding(models):
    """What half a unit in each of a kernel's entries, its threshold and its place may add up to."""
    banks = [fixed_point.Bank.of([model]) for model in models]
    return max(np.abs(bank.weights).sum() * (bank.width + 2) / 2 for bank in banks) + 1e-5


def assert_same(left, right):
    for name in FIELDS:
        assert getattr(left, name).tobytes() == getattr(right, name).tobytes(), name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", [1, 5, 7, 10])
def test_scans_give_the_models_own_scores(shape, step):
    genome = random_genome(1, 700, 61)
    models = [model_of(shape, seed) for seed in (1, 2)]
    for chrom in genome.names:
        stretches = list(scan_genome(models, genome, step, [chrom]))

        middles = np.arange(0, genome.lengths[chrom], step) + step // 2
        expected = [score_each_step(model, genome, chrom, middles) for model in models]
        found = np.concatenate([stretch.scores for stretch in stretches])
        np.testing.assert_allclose(found, np.concatenate(expected, 1), atol=rounding(models))


@pytest.mark.parametrize(("step", "shape"), [(1, 0), (3, 0), (37, 0), (1003, 0), (999, 1)])
def test_windows_of_full_tiles_keep_their_scores(monkeypatch, step, shape):
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    genome, model = random_genome(13, max(4200, 12 * step)), model_of(SHAPES[shape])

    (found,) = scan_genome([model], genome, step)

    middles = np.arange(0, genome.lengths["chr1"], step) + step // 2
    expected = score_each_step(model, genome, "chr1", middles)
    np.testing.assert_allclose(found.scores, expected, atol=rounding([model]))


def test_kernels_that_unknown_bases_suit_best_are_kept():
    model, genome = model_of((40, 4, 7, True, 5)), random_genome(14, 300, unknown=0.5)
    for network in model.networks:
        network.weight[:] = -np.abs(network.weight) - 1
        network.bias[:] = 2
    middles = np.arange(0, 300, 5) + 2

    (found,) = scan_genome([model], genome, 5)

    expected = score_each_step(model, genome, "chr1", middles)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found.scores, expected, atol=rounding([model]))


def test_a_scan_goes_on_where_a_stretch_ends(monkeypatch):
    genome, models = random_genome(2, 5000), [model_of(SHAPES[0])]
    whole = list(scan_genome(models, genome, 10))
    monkeypatch.setattr("motifloom.genome_scan._BLOCK", 1234)

    parts = list(scan_genome(models, genome, 10))

    assert [part.start for part in parts] == [0, 1230, 2460, 3690, 4920]
    np.testing.assert_array_equal(np.concatenate([part.scores for part in parts]), whole[0].scores)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shifts", [(), (-4, 3)])
@pytest.mark.parametrize("longest", [4, 60])
def test_alleles_get_the_models_own_scores(shape, shifts, longest):
    genome = random_genome(3, 900, 60)
    models = [model_of(shape, seed) for seed in (1, 2)]
    alleles = left_aligned(genome, random_alleles(4, genome, 80, longest))

    found = score_variants(models, genome, alleles, shifts)

    expected = [_score_each(model, genome, alleles, (0, *shifts)) for model in models]
    for number, name in enumerate(SCORES):
        own = np.concatenate([columns[number] for columns in expected], axis=1)
        tolerance = rounding(models)
        np.testing.assert_allclose(getattr(found, name), own, atol=tolerance, err_msg=name)


def test_alleles_score_the_same_bits_in_any_company(monkeypatch):
    genome, shape = random_genome(5, 30_000), SHAPES[0]
    models = [model_of(shape, seed) for seed in (1, 2, 3)]
    alleles = random_alleles(6, genome, 3000, 30)
    together = score_variants(models, genome, alleles, (-20, 11))

    rows = np.random.default_rng(0).permutation(len(alleles))[:60]
    for row in rows:
        alone = score_variants(models, genome, alleles.take([row]), (-20, 11))
        one = {name: getattr(together, name)[[row]] for name in FIELDS}
        assert_same(alone, Effects(**one))
    shuffled = score_variants(models, genome, alleles.take(rows), (-20, 11))
    assert_same(shuffled, Effects(**{name: getattr(together, name)[rows] for name in FIELDS}))
    monkeypatch.setattr(threads, "n_threads", lambda: 3)
    assert_same(score_variants(models, genome, alleles, (-20, 11)), together)


def test_a_model_scores_the_same_bits_beside_others():
    genome = random_genome(7, 3000)
    models = [model_of(SHAPES[0], 1), model_of(SHAPES[2], 2), model_of(SHAPES[0], 3)]
    alleles = random_alleles(8, genome, 50)

    together = score_variants(models, genome, alleles)

    for number, model in enumerate(models):
        one = {name: getattr(together, name)[:, [number]].copy() for name in FIELDS}
        assert_same(score_variants([model], genome, alleles), Effects(**one))


def test_an_allele_equal_to_the_reference_changes_nothing():
    genome = random_genome(9, 500, unknown=0)
    start = np.arange(100, 120)
    alleles = alleles_of(*((0, at, 1, decode(genome.flat[at : at + 1])) for at in start))

    found = score_variants([model_of(SHAPES[0])], genome, alleles, (5,))

    assert (found.difference == 0).all()
    assert (found.best_difference == 0).all()
    assert (found.position == -1).all()
    assert (found.strand == 0).all()


def test_rounding_is_far_below_what_weights_are_worth():
    assert rounding([model_of(SHAPES[0], members=6)]) < 5e-3


def consensus_model(word, length=31):
    """One kernel that counts letters of `word` beyond all but one, for a score of 1."""
    width = len(word)
    network = network_of((length, 1, width, True, 0), np.random.default_rng(0))
    network.weight[:] = np.array([[[float(letter == base) for letter in word] for base in "ACGT"]])
    network.bias[:] = 1 - width
    network.dense[0][:], network.dense[1][:] = 1, 0
    info = {"strands": "given", "targets": ["TF"], "target_scale": 1.0, "target_mean": 0.0}
    return DeepBindModel([network], {"hyperparameters": network.settings} | info)


@pytest.mark.parametrize(
    ("allele", "difference", "position", "strand"),
    [
        ((0, 33, 1, "T"), -1, 30, 1),  # the site at base 30 is broken
        ((0, 62, 1, "A"), 1, 60, -1),  # TGAGTCA, on the other strand, is made
        ((0, 90, 0, "GACTCA"), 1, 89, 1),  # an insertion completes a site
        ((0, 30, 7, ""), -1, 30, 1),  # a site is taken out
        ((0, 110, 1, "C"), 0, -1, 0),  # nothing to change
        ((0, 121, 20, ""), 1, 118, 1),  # a long deletion joins two halves
    ],
)
def test_the_hit_is_where_the_site_changes(allele, difference, position, strand):
    text = ["A"] * 200
    text[30:37], text[60:67], text[89] = "TGACTCA", "TGGGTCA", "T"
    text[118:121], text[141:145] = "TGA", "CTCA"
    genome = genome_of({"chr1": "".join(text)})

    found = score_variants([consensus_model("TGACTCA")], genome, alleles_of(allele))

    assert found.difference[0, 0] == pytest.approx(difference, abs=1e-3)
    assert (found.position[0, 0], found.strand[0, 0]) == (position, strand)
    assert found.kernel[0, 0] == (0 if strand else -1)


def test_ten_thousand_deleted_bases_are_one_allele():
    genome, model = random_genome(10, 30_000), model_of(SHAPES[0])
    alleles = alleles_of((0, 9_000, 10_000, "A"))

    found = score_variants([model], genome, alleles)

    expected = _score_each(model, genome, alleles, (0,))
    np.testing.assert_allclose(found.alternative, expected[1], atol=rounding([model]))


def test_one_deletion_scores_alike_however_it_is_written():
    genome = genome_of({"chr1": "ACGTTGCA" * 10 + "CTCTCT" + "GATTACAG" * 10})
    alleles = alleles_of(*((0, at, 2, "") for at in (80, 81, 82, 84)), (0, 79, 3, "A"))

    found = score_variants([model_of(SHAPES[0])], genome, alleles)

    assert len({*found.difference[:4, 0]}) == 1
    assert found.alternative[0, 0] != found.alternative[4, 0]


def test_kernels_that_never_fire_are_left_out():
    model = model_of((40, 40, 7, True, 5), members=1)
    model.networks[0].bias[:38] = -1000

    bank = fixed_point.Bank.of([model])

    assert len(bank.tables) == 1
    assert bank.kernels[0, :3].tolist() == [38, 39, -1]


@pytest.mark.parametrize(
    "changes",
    [
        {"pooling": "max+mean"},
        {"padding": True},
        {"hidden_units": 8},
        {"length": 1001},
    ],
)
def test_other_networks_have_no_bank(changes):
    model = model_of(SHAPES[0])
    model.info["hyperparameters"] = model.info["hyperparameters"] | changes

    assert fixed_point.shape_of(model) is None
    assert fixed_point.shape_of(model_of(SHAPES[0], strands="max")) is None
    assert fixed_point.shape_of(object()) is None


def test_codes_beyond_the_alphabet_lead_nowhere():
    genome, models = random_genome(15, 400), [model_of(SHAPES[0])]
    alleles = random_alleles(0, genome, 5)
    alleles.alt[:] = 200
    with pytest.raises(InputError, match="codes beyond 4"):
        score_variants(models, genome, alleles)
    genome.flat[300] = 255
    with pytest.raises(InputError, match="codes beyond 4"):
        list(scan_genome(models, genome))


def test_no_alleles_give_no_rows():
    genome = random_genome(11, 200)
    none = random_alleles(0, genome, 3).take([])

    found = score_variants([model_of(SHAPES[0])], genome, none)

    assert found.difference.shape == (0, 1)


def test_shifts_out_of_the_window_are_refused():
    genome = random_genome(12, 200)
    with pytest.raises(InputError, match="a shift of 50 moves a window of 101 bp away"):
        score_variants([model_of(SHAPES[0])], genome, random_alleles(0, genome, 3), (50,))
