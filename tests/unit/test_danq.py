"""DanQ: read-outs, the direct path, parameters, and how its weights may start."""

import numpy as np
import pytest
import torch
from builders import DANQ, codes_of, n_parameters

from motifloom.danq import DanQ, start_from_matrices, start_uniform
from motifloom.files import InputError
from motifloom.models import reverse_complement
from motifloom.motifs import Motif


def danq(seed=0, **settings):
    torch.manual_seed(seed)
    return DanQ(**DANQ | settings).eval()


def test_parameters_by_hand():
    # an LSTM has 4 gates with 1 bias a unit, in each of 2 directions
    conv, lstm = 5 * 4 * 6 + 5, 2 * 4 * (5 * 3 + 3 * 3 + 3)
    steps = (40 - 6 + 1) // 4
    assert steps == 8
    dense = 7 * 3 + 3
    assert n_parameters(danq(readout="max")) == conv + lstm + (6 * 7 + 7) + dense
    assert n_parameters(danq(readout="flatten")) == conv + lstm + (8 * 6 * 7 + 7) + dense
    direct = danq(readout="centre", dense_units=0, direct=True)
    assert n_parameters(direct) == conv + lstm + (6 * 3 + 3) + (5 * 3 + 3)
    assert n_parameters(danq(readout="max", lstm_units=0)) == conv + (5 * 7 + 7) + dense
    assert n_parameters(danq(lstm_units=0)) == conv + (8 * 5 * 7 + 7) + dense


def test_parameters_of_the_published_danq():
    # 320 kernels of 4 x 26, a threshold each                                   33,600
    # 2 directions, 4 gates of 320 units: 320 inputs, 320 states, 1 bias     1,640,960
    # 975 windows in pools of 13 are 75 steps of 640; dense to 925, biases  44,400,925
    # 925 to 919 targets, biases                                               850,994
    network = DanQ(1000, 919)
    assert n_parameters(network) == 33_600 + 1_640_960 + 44_400_925 + 850_994 == 46_926_479


@pytest.mark.parametrize(
    ("readout", "expected"),
    [
        ("max", [8, 6]),
        ("last", [8, 0]),
        ("flatten", [0, 0, 1, -1, 2, -2, 3, 5, 4, 4, 5, 5, 6, -6, 8, 6]),
        # bases 14 to 25 of 40 lie in the pooled steps 3 to 6
        ("centre", [6, 5]),
    ],
)
def test_readouts(readout, expected):
    network = danq(readout=readout, lstm_units=1)
    forward = [0, 1, 2, 3, 4, 5, 6, 8]
    backward = [0, -1, -2, 5, 4, 5, -6, 6]
    steps = torch.tensor([forward, backward], dtype=torch.float32).T[None]
    assert network._read(steps).tolist() == [expected]


def test_direct_path_sees_the_middle_only():
    network = danq(readout="centre", direct=True)
    codes = codes_of(4)
    flanks = codes.clone()
    # 12 middle bases, and half a kernel of 6 on both sides of them
    flanks[:, :11], flanks[:, 29:] = 0, 0
    with torch.inference_mode():
        found = network.direct_logits(codes)
        assert found.tolist() == network.direct_logits(flanks).tolist()
        flanks[:, 11:29] = 0
        assert found.tolist() != network.direct_logits(flanks).tolist()


def test_without_recurrence_steps_are_the_pooled_features():
    network = danq(lstm_units=0, dense_units=0, readout="max")
    codes = codes_of(4)
    with torch.inference_mode():
        pooled = network.conv(codes, 4)
        assert network(codes).tolist() == network.dense(pooled.amax(1)).tolist()


def test_both_strands_pool_the_better_of_both():
    """Of one pool over all windows a strand cannot be told from the other; ReLU comes after."""
    network = danq(both_strands=True, pool_size=35, lstm_units=0, readout="max")
    codes = codes_of(4)
    with torch.inference_mode():
        pooled = network.conv(codes, 35)
        given = danq(pool_size=35, lstm_units=0, readout="max").conv
        strands = [given(x, 35) for x in (codes, reverse_complement(codes))]
        torch.testing.assert_close(pooled, torch.maximum(*strands))
        torch.testing.assert_close(network(codes), network(reverse_complement(codes)))
        assert not torch.equal(*strands)


def test_both_strands_cost_no_parameters():
    assert n_parameters(danq(both_strands=True)) == n_parameters(danq())


def test_unknown_readout():
    with pytest.raises(InputError, match="readout 'mean' is unknown; choose one of max, last"):
        danq(readout="mean")
    with pytest.raises(InputError, match="'last' needs an LSTM"):
        danq(readout="last", lstm_units=0)


def test_sequences_too_short_for_the_network():
    with pytest.raises(InputError, match="8 bp are too short for this network, which needs 9"):
        danq(length=8)
    danq(length=9)


# Starting weights


def test_uniform_start():
    network = danq(direct=True)
    start_uniform(network, 0.05, seed=1)
    twin = danq(seed=9, direct=True)
    start_uniform(twin, 0.05, seed=1)
    for (name, parameter), other in zip(network.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(parameter, other)
        if "bias" in name:
            assert not parameter.any()
        else:
            assert parameter.abs().max() <= 0.05 and parameter.std() > 0.02


def motif(name, columns):
    return Motif(name, np.array(columns, float).T)


A, C, ANY = [1, 0, 0, 0], [0, 1, 0, 0], [0.25] * 4


def started(motifs, n_kernels=4, width=4, seed=3):
    weight, bias = torch.full((n_kernels, 4, width), 9.0), torch.full((n_kernels,), 5.0)
    return weight, bias, start_from_matrices(weight, bias, motifs, seed)


def test_matrices_stand_at_some_offset_less_the_background():
    weight, bias, names = started([motif("ac", [A, C]), motif("c", [C])], n_kernels=5)
    assert sorted(names) == ["", "", "", "ac", "c"]
    kernel = weight[names.index("ac")]
    first = int((kernel[0] != 9).nonzero()[0, 0])
    expected = [[0.75, -0.25], [-0.25, 0.75], [-0.25, -0.25], [-0.25, -0.25]]
    assert kernel[:, first : first + 2].tolist() == expected
    assert (weight == 9).sum() == weight.numel() - 8 - 4
    assert ((bias[:2] > -1) & (bias[:2] < 0)).all()
    assert bias[2:].tolist() == [5, 5, 5]


def test_all_offsets_are_used():
    found = {
        int((started([motif("c", [C])], seed=s)[0][0, 1] == 0.75).nonzero()) for s in range(40)
    }
    assert found == {0, 1, 2, 3}


def test_wide_matrices_keep_their_most_informative_columns():
    weight, _, names = started([motif("wide", [ANY, A, C, ANY, A, ANY, ANY])])
    assert names[0] == "wide"
    assert weight[0, 0].tolist() == [0.75, -0.25, 0, 0.75]


def test_half_of_the_kernels_at_most():
    motifs = [motif(f"m{i}", [A]) for i in range(9)]
    names = started(motifs, n_kernels=4)[2]
    assert [bool(name) for name in names] == [True, True, False, False]
    assert {started(motifs, seed=s)[2][0] for s in range(60)} == {f"m{i}" for i in range(9)}


def test_matrices_start_alike_with_the_same_seed():
    motifs = [motif(f"m{i}", [A, C]) for i in range(9)]
    a, b, c = (started(motifs, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and a[2] == b[2]
    assert not torch.equal(a[1], c[1])
