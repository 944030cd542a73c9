"""DeepBind, what holds for every network, trained models, and files that are refused."""

import json
import os

import numpy as np
import pytest
import torch
from builders import DANQ, codes_of, info_of, n_parameters, random_codes
from safetensors.torch import load_file, save_file

from motifloom import models
from motifloom.danq import READOUTS
from motifloom.files import InputError
from motifloom.resnet import ORDERS
from motifloom.scan import one_hot
from motifloom.sequences import decode, encode, reverse_complement


def deepbind(seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"length": 20, "n_kernels": 6, "kernel_size": 5} | settings
    network = models.DeepBind(**settings).eval()
    if network.conv.places is not None:
        torch.nn.init.normal_(network.conv.places)
    return network


def danq(**settings):
    torch.manual_seed(0)
    return models.DanQ(**DANQ | settings).eval()


def resnet(**settings):
    torch.manual_seed(0)
    settings = {"kernel_size": 6, "n_kernels": 5, "pool_size": 4, "centre": 12} | settings
    return models.ResNet(40, 3, **settings).eval()


NETWORKS = {
    "deepbind": lambda: deepbind(length=40),
    "deepbind both strands": lambda: deepbind(length=40, both_strands=True),
    "deepbind hidden": lambda: deepbind(length=40, hidden_units=4, n_targets=3),
    "deepbind placed": lambda: deepbind(length=40, place_bin=3, pooling="max+mean"),
    "deepbind placed on both": lambda: deepbind(length=40, place_bin=3, both_strands=True),
    **{f"danq {readout}": lambda r=readout: danq(readout=r) for readout in READOUTS},
    "danq direct": lambda: danq(readout="centre", direct=True, dense_units=0),
    "danq both strands": lambda: danq(both_strands=True, readout="max"),
    "danq without recurrence": lambda: danq(readout="centre", lstm_units=0),
    **{f"resnet {order}": lambda o=order: resnet(order=o) for order in ORDERS},
    "resnet strided": lambda: resnet(stride=2, dilation=3, padding=4, pooling="mean"),
    "resnet mean": lambda: resnet(readout="mean", pooling="subsample"),
    "rnn": lambda: models.RNN(40, 3, units=4).eval(),
    "lstm": lambda: models.LSTM(40, 3, units=4).eval(),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


def test_codes_and_one_hot_give_the_same_logits(network):
    codes = codes_of()
    with torch.inference_mode():
        fast, slow = network(codes), network(one_hot(codes))
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "max+mean"])
def test_padding_gives_the_same_of_codes_and_one_hot(pooling):
    network, codes = deepbind(padding=True, pooling=pooling, place_bin=4), codes_of(length=20)
    with torch.inference_mode():
        fast, slow = network(codes), network(one_hot(codes, 0.25))
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-5)


def test_a_site_counts_alike_wherever_a_longer_sequence_has_it():
    network = deepbind(place_bin=2, kernel_size=5, n_kernels=1)
    with torch.no_grad():
        network.conv.weight[:] = one_hot(torch.tensor(encode("GATCA"))[None])
        network.conv.places[:, 0] = -torch.arange(4.0)
    sequences = ["T" * before + "GATCA" + "T" * (25 - before) for before in (0, 7, 12, 18, 25)]
    codes = torch.tensor(np.stack([encode(sequence) for sequence in sequences]))
    with torch.inference_mode():
        found = network.conv.maxima(codes)[:, 0, 0].tolist()
    # 26 windows where 16 were trained on: the middle is 20 wider.
    assert found == [5 - 1, 5, 5, 5, 5 - 1]


def test_codes_and_one_hot_give_the_same_gradients(network):
    codes, found = codes_of(), []
    for x in (codes, one_hot(codes)):
        network.zero_grad()
        network(x).sum().backward()
        found.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_every_network_is_tested_here():
    assert {type(make()).__name__ for make in NETWORKS.values()} == set(models.NETWORKS)


def test_hyperparameters_build_the_network_again(network):
    twin = type(network)(**network.hyperparameters)
    twin.load_state_dict(network.state_dict())
    assert twin.hyperparameters == network.hyperparameters
    codes = codes_of()
    with torch.inference_mode():
        assert twin.eval()(codes).tolist() == network(codes).tolist()


def test_shape_of_logits(network):
    with torch.inference_mode():
        for n in (1, 2, 8):
            logits = network(codes_of(n))
            assert logits.shape == (n, network.hyperparameters["n_targets"])
            assert logits.dtype == torch.float32


def test_predictions_do_not_depend_on_batch_mates(network):
    codes = codes_of(8)
    with torch.inference_mode():
        together = network(codes)
        alone = torch.cat([network(row[None]) for row in codes])
        turned = network(codes.flip(0)).flip(0)
        other = network(torch.cat([codes[:1], codes_of(7, seed=9)]))[:1]
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(together, turned, rtol=0, atol=1e-5)
    torch.testing.assert_close(together[:1], other, rtol=0, atol=1e-5)


def test_gradients_reach_every_parameter(network):
    network(codes_of(16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_both_strands_are_invariant_under_reverse_complement():
    network = deepbind(both_strands=True, hidden_units=3)
    codes = random_codes(1, 9, 20, letters=5)
    with torch.inference_mode():
        found = network(torch.from_numpy(codes))
        turned = network(torch.from_numpy(reverse_complement(codes).copy()))
    torch.testing.assert_close(found, turned, rtol=0, atol=1e-6)


def test_one_strand_is_not_invariant():
    codes = random_codes(1, 9, 20)
    turned = torch.from_numpy(reverse_complement(codes).copy())
    with torch.inference_mode():
        assert not torch.allclose(deepbind()(torch.from_numpy(codes)), deepbind()(turned))


def hand_made(**settings):
    """Two kernels, ACG and TT, with thresholds 1.5 and 3, and a linear read-out."""
    network = deepbind(length=4, n_kernels=2, kernel_size=3, **settings)
    with torch.no_grad():
        network.conv.weight.zero_()
        network.conv.weight[0, [0, 1, 2], [0, 1, 2]] = torch.tensor([1.0, 2, 4])
        network.conv.weight[1, 3, :2] = 2
        network.conv.bias.copy_(torch.tensor([-1.5, -3]))
        network.dense.weight.copy_(torch.tensor([[2.0, -10]]))
        network.dense.bias.fill_(0.25)
    return network


@pytest.mark.parametrize(
    ("sequence", "both_strands", "logit"),
    [
        ("ACGA", False, 2 * (7 - 1.5) + 0.25),
        ("TACG", False, 2 * (7 - 1.5) + 0.25),
        ("AAAA", False, 0.25),  # 1 and 0 stay below the thresholds
        ("NCGN", False, 2 * (6 - 1.5) + 0.25),
        ("TTAC", False, -10 * (4 - 3) + 0.25),
        ("TTAC", True, -10 * (4 - 3) + 0.25),
        ("CGTT", False, 0.25),
        ("CGTC", True, 2 * (7 - 1.5) + 0.25),  # GACG on the other strand
        ("CAAC", True, 2 * (4 - 1.5) - 10 * (4 - 3) + 0.25),  # GTTG on the other strand
    ],
)
def test_logits_of_a_hand_made_network(sequence, both_strands, logit):
    network = hand_made(both_strands=both_strands)
    codes = torch.from_numpy(encode(sequence)[None].copy())
    with torch.inference_mode():
        assert network(codes).tolist() == [[logit]]
        assert network(one_hot(codes)).tolist() == [[logit]]


def test_features_of_a_hand_made_network():
    codes = torch.from_numpy(encode("TTACG")[None].copy())
    with torch.inference_mode():
        assert hand_made().features(codes).tolist() == [[5.5, 1]]


def test_parameters_by_hand():
    # kernels + thresholds, dense + bias
    assert n_parameters(deepbind()) == (6 * 4 * 5 + 6) + (6 + 1)
    hidden = deepbind(hidden_units=4, n_targets=3, both_strands=True)
    assert n_parameters(hidden) == (6 * 4 * 5 + 6) + (6 * 4 + 4) + (4 * 3 + 3)


def test_sequences_too_short_for_the_network():
    with pytest.raises(InputError, match="11 bp are too short for this network, which needs 12"):
        models.DeepBind(11, kernel_size=12)
    models.DeepBind(12, kernel_size=12)


# Trained models


def trained(networks, **changes):
    return models.TrainedModel(networks, info_of(networks, **changes))


@pytest.mark.parametrize(
    "make",
    [
        lambda: trained([deepbind(0), deepbind(1)], strands="max"),
        lambda: trained([danq(readout="centre", direct=True)], strands="mean"),
        lambda: trained([resnet()], strands="mean"),
        lambda: trained([models.LSTM(40, 3)]),
    ],
    ids=["deepbind", "danq", "resnet", "lstm"],
)
def test_save_and_load(tmp_path, make):
    model = make()
    models.save(model, tmp_path / "a.safetensors")
    models.save(model, tmp_path / "b.safetensors")
    loaded = models.load(tmp_path / "a.safetensors")
    codes = random_codes(2, 5, model.info["hyperparameters"]["length"])
    assert loaded.info == model.info
    assert not loaded.training
    assert loaded.score(codes).tolist() == model.score(codes).tolist()
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_weights_can_be_read_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        models.save(trained([deepbind()]), tmp_path / "weights.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "weights.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.fixture
def weights(tmp_path):
    models.save(trained([deepbind()]), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_load_refuses_cut_files(weights, kept):
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"is damaged|is empty") as caught:
        models.load(weights)
    assert str(weights) in str(caught.value)


@pytest.mark.parametrize("content", [b"\x80\x04K\x01.", b"weights\n" * 9, b"PK\x03\x04" * 20])
def test_load_refuses_other_files(tmp_path, content):
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(InputError, match="is damaged or no safetensors file"):
        models.load(tmp_path / "weights.pt")


def test_load_refuses_missing_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        models.load(tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    "info",
    [None, {}, [], "DeepBind", {"network": "Transformer"}, {"network": None}, {"kinds": ["site"]}],
)
def test_load_refuses_foreign_safetensors(tmp_path, info):
    metadata = None if info is None else {"motifloom": json.dumps(info)}
    save_file({"w": torch.zeros(2)}, tmp_path / "file", metadata)
    with pytest.raises(InputError, match="holds no trained model"):
        models.load(tmp_path / "file")


def test_load_refuses_metadata_that_is_no_json(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "file", {"motifloom": "{'network'"})
    with pytest.raises(InputError, match="is damaged"):
        models.load(tmp_path / "file")


@pytest.mark.parametrize(
    "change",
    [
        {"members": 2},
        {"members": "one"},
        {"hyperparameters": {"length": 20, "n_kernels": 7, "kernel_size": 5}},
        {"hyperparameters": {"length": 20, "n_kernels": 6, "kernel_size": 5, "stride": 2}},
        {"hyperparameters": {}},
        {"network": "DanQ"},
    ],
    ids=["members", "no number", "kernels", "unknown", "none", "network"],
)
def test_load_refuses_weights_of_another_network(weights, change):
    info = info_of([deepbind()]) | change
    save_file(load_file(weights), weights, {"motifloom": json.dumps(info)})
    with pytest.raises(InputError, match="weights and description disagree"):
        models.load(weights)


def test_load_refuses_a_description_without_network_settings(weights):
    metadata = {"motifloom": json.dumps({"network": "DeepBind"})}
    save_file(load_file(weights), weights, metadata)
    with pytest.raises(InputError, match="weights and description disagree"):
        models.load(weights)


def test_members_are_averaged():
    networks = [deepbind(seed) for seed in range(3)]
    codes = random_codes(3, 4, 20)
    alone = np.stack([trained([network]).score(codes) for network in networks])
    np.testing.assert_allclose(trained(networks).score(codes), alone.mean(0), atol=1e-6)


@pytest.mark.parametrize("strands", ["given", "mean", "max"])
def test_scores_of_members_are_those_of_each_alone(strands):
    networks = [deepbind(seed) for seed in range(3)]
    changes = {"strands": strands, "target_mean": 7.0, "target_scale": 2.0}
    codes = random_codes(3, 5, 20)
    model = trained(networks, **changes)
    scores, members = model.score_members(codes, batch_size=2)
    np.testing.assert_allclose(scores, model.score(codes), atol=1e-5)
    alone = [trained([network], **changes).score(codes) for network in networks]
    np.testing.assert_allclose(members, alone, atol=1e-5)
    assert [found.shape for found in model.score_members(codes[:0])] == [(0, 1), (3, 0, 1)]


@pytest.mark.parametrize(
    ("strands", "combine"),
    [("given", lambda a, b: a), ("mean", lambda a, b: (a + b) / 2), ("max", np.maximum)],
)
def test_strands(strands, combine):
    network, codes = deepbind(), random_codes(4, 6, 20, letters=5)
    forward = trained([network]).score(codes)
    backward = trained([network]).score(reverse_complement(codes))
    assert (forward != backward).any()
    model = trained([network], strands=strands)
    np.testing.assert_allclose(model.score(codes), combine(forward, backward), atol=1e-6)
    with torch.inference_mode():
        hot = model(one_hot(torch.from_numpy(codes))).numpy()
    np.testing.assert_allclose(hot, model.score(codes), atol=1e-5)


def test_reverse_complement_of_both_inputs():
    codes = codes_of(3, 7)
    turned = models.reverse_complement(codes)
    assert turned.tolist() == reverse_complement(codes.numpy()).tolist()
    assert turned.dtype == torch.uint8
    assert models.reverse_complement(one_hot(codes)).tolist() == one_hot(turned).tolist()


def test_scores_in_the_unit_of_the_targets():
    codes = random_codes(5, 4, 20)
    logits = trained([deepbind()]).score(codes)
    scores = trained([deepbind()], target_mean=-3.5, target_scale=2.0).score(codes)
    np.testing.assert_allclose(scores, logits * 2 - 3.5, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_scores_do_not_depend_on_the_batch_size(batch_size):
    model, codes = trained([deepbind()]), random_codes(6, 7, 20)
    np.testing.assert_allclose(model.score(codes, batch_size), model.score(codes), atol=1e-6)


def test_scores_of_memory_mapped_rows():
    codes = random_codes(7, 3, 20)
    frozen = codes.copy()
    frozen.flags.writeable = False
    assert (
        trained([deepbind()]).score(frozen).tolist() == trained([deepbind()]).score(codes).tolist()
    )


def test_no_sequences_have_no_scores():
    found = trained([danq()]).score(np.empty((0, 40), np.uint8))
    assert found.shape == (0, 3)


def fasta_of(tmp_path, *records):
    path = tmp_path / "sequences.fa"
    path.write_text("".join(f">s{i}\n{record}\n" for i, record in enumerate(records)))
    return path


def test_scores_of_a_fasta_with_records_of_any_length(tmp_path):
    model = trained([deepbind()])
    blocks = [random_codes(8, 2, 20), random_codes(9, 1, 5), random_codes(10, 1, 33)]
    rows = [blocks[0][0], blocks[2][0], blocks[1][0], blocks[0][1]]
    path = fasta_of(tmp_path, *map(decode, rows))
    expected = [model.score(row[None])[0] for row in rows]
    np.testing.assert_allclose(model.score(path), expected, atol=1e-6)


def test_records_shorter_than_a_kernel(tmp_path):
    path = fasta_of(tmp_path, "ACGTACGT", "ACGT")
    with pytest.raises(InputError, match="a record of 4 bp is shorter than a kernel, 5"):
        trained([deepbind()]).score(path)


@pytest.mark.parametrize("make", [danq, resnet, lambda: models.RNN(40, 3)])
def test_other_networks_take_one_length_only(tmp_path, make):
    model = trained([make()])
    assert model.score(fasta_of(tmp_path, "ACGT" * 10)).shape == (1, 3)
    with pytest.raises(InputError, match="records of 36 bp; this network takes 40 bp"):
        model.score(fasta_of(tmp_path, "ACGT" * 10, "ACGT" * 9))
