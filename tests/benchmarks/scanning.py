"""The motif scan, forward and backward, against PyTorch's convolution and pooling."""

from functools import partial
from pathlib import Path

import torch
from harness import Pair, Row

from motifloom.scan import motif_scan, one_hot, reference_scan

# Name: sequences, their length, kernels, their width, pool (0: over all), both strands.
SHAPES = {
    "scan-conv1d-512x1000-16x24": (512, 1000, 16, 24, 0, False),
    "scan-conv1d-320x101-64x12-both": (320, 101, 64, 12, 0, True),
    "scan-conv1d-128x1000-128x12-pool10": (128, 1000, 128, 12, 10, False),
}


def rows() -> list[Row]:
    """Rows of this subject."""
    return [
        Row(name, "sequences/s", partial(against_conv1d, shape=shape))
        for name, shape in SHAPES.items()
    ]


def against_conv1d(folder: Path, shape: tuple[int, int, int, int, int, bool]) -> Pair:
    """The reference is given its input one-hot encoded; both use all of PyTorch's threads."""
    n, length, n_kernels, width, pool, both_strands = shape
    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(4, (n, length), generator=draw, dtype=torch.uint8)
    kernels = torch.randn(n_kernels, 4, width, generator=draw, requires_grad=True)
    pools = (length - width + 1) // pool if pool else 1
    slopes = torch.randn(n, pools, n_kernels, generator=draw)

    def step(scan, sequences):
        values = scan(sequences, kernels, pool, both_strands)
        return values.detach(), *torch.autograd.grad(values, kernels, slopes)

    return Pair(
        ours=partial(step, motif_scan, codes),
        reference=partial(step, reference_scan, one_hot(codes)),
        n_ours=n,
        n_reference=n,
        check=check_scans,
    )


def check_scans(ours: tuple, reference: tuple) -> None:
    """Compare values and gradients; these as a whole, for rounding decides between near ties."""
    torch.testing.assert_close(ours[0], reference[0], rtol=1e-4, atol=1e-4)
    difference = (ours[1] - reference[1]).norm() / reference[1].norm()
    if difference > 0.05:
        raise AssertionError(f"gradients differ by {difference:.3g} of their norm")
