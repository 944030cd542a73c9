"""In-silico saturation mutagenesis against scoring every variant."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from harness import Pair, Row

from motifloom.models import DeepBind
from motifloom.mutagenesis import mutate, mutate_each

# Name: sequences, their length, and the network; the reference has REFERENCE of the sequences.
SHAPES = {
    "ism-1000bp-16x12": (100, 1000, {"n_kernels": 16, "kernel_size": 12}),
    "ism-1000bp-16x24-both": (100, 1000, {"kernel_size": 24, "both_strands": True}),
    "ism-1000bp-256x12-both": (
        100, 1000, {"n_kernels": 256, "kernel_size": 12, "both_strands": True, "place_bin": 5},
    ),
    "ism-101bp-256x12-both": (
        500, 101, {"n_kernels": 256, "kernel_size": 12, "both_strands": True, "place_bin": 5},
    ),
}  # fmt: skip
REFERENCE = 2


def rows() -> list[Row]:
    """Rows of this subject."""
    return [
        Row(name, "sequences/s", partial(against_variants, shape=shape))
        for name, shape in SHAPES.items()
    ]


def against_variants(folder: Path, shape: tuple[int, int, dict]) -> Pair:
    """The reference scores all variants in batches of 1,024 with the library's own scan."""
    n, length, settings = shape
    torch.manual_seed(0)
    network = DeepBind(length=length, **settings).eval()
    # Half of the kernels are above their thresholds at their maxima, as in trained networks.
    torch.nn.init.uniform_(network.conv.bias, -1.5, 0.5)
    codes = np.random.default_rng(0).integers(4, size=(n, length), dtype=np.uint8)
    return Pair(
        ours=partial(mutate, network, codes),
        reference=partial(mutate_each, network, codes[:REFERENCE]),
        n_ours=n,
        n_reference=REFERENCE,
        check=check_maps,
    )


def check_maps(ours: np.ndarray, reference: np.ndarray) -> None:
    """Compare the maps of the sequences that the reference has."""
    np.testing.assert_allclose(ours[: len(reference)], reference, atol=1e-5)
