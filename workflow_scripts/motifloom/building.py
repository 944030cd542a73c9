"""A multi-task preset's network with its starting weights."""

from pathlib import Path

import torch
from torch import nn

from motifloom.danq import start_from_matrices, start_uniform
from motifloom.files import InputError
from motifloom.models import NETWORKS
from motifloom.motif_files import read_meme
from motifloom.presets import MultitaskPreset

# The networks that read the labelled middle of a bin.
_CENTRED = ("DanQ", "ResNet")


def build_network(
    preset: MultitaskPreset,
    length: int,
    n_targets: int,
    centre: int,
    seed: int,
    matrices: str | Path | None = None,
) -> tuple[nn.Module, list[str]]:
    """The network of a preset, and the matrix each kernel starts from ("" if random).

    `centre` are the middle bases that labels are about; `matrices` a MEME file, which presets
    with `from_matrices` need. The same seed gives the same weights. Raises InputError where the
    file is not given or holds no motif. The list is empty where no kernel starts from one.
    """
    torch.manual_seed(seed)
    settings = preset.network_settings
    if preset.network in _CENTRED:
        settings["centre"] = centre
    network = NETWORKS[preset.network](length, n_targets, **settings)
    if preset.start_range:
        start_uniform(network, preset.start_range, seed)
    if not preset.from_matrices:
        return network, []
    if matrices is None:
        raise InputError("this preset starts kernels from matrices; give a MEME file of them")
    motifs = read_meme(matrices)
    if not motifs:
        raise InputError(f"{matrices}: holds no motif to start kernels from; give another file")
    return network, start_from_matrices(network.conv.weight, network.conv.bias, motifs, seed)
