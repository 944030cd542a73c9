"""Tiny inputs that several tests build on."""

import numpy as np
import torch

from motifloom.bin_store import BinStore
from motifloom.sequences import Genome, encode
from motifloom.store import SPLITS, SequenceStore, write_arrays

DANQ = {
    "length": 40,
    "n_targets": 3,
    "n_kernels": 5,
    "kernel_size": 6,
    "pool_size": 4,
    "lstm_units": 3,
    "dense_units": 7,
    "centre": 12,
}


def random_codes(seed, n, length, letters=4):
    """Base codes uint8 [n, length]; `letters` 5 mixes N in."""
    return np.random.default_rng(seed).integers(letters, size=(n, length), dtype=np.uint8)


def codes_of(n=8, length=40, seed=0):
    """Base codes with N as a tensor, uint8 [n, length]."""
    return torch.from_numpy(random_codes(seed, n, length, letters=5))


def n_parameters(network):
    """The number of a network's parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def planted(seed, n, length, motif):
    """Random codes [n, length] with `motif` at a random place of each row."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(4, size=(n, length), dtype=np.uint8)
    word = encode(motif)
    columns = rng.integers(length - len(word) + 1, size=n)[:, None] + np.arange(len(word))
    codes[np.arange(n)[:, None], columns] = word
    return codes


def store_of(codes, targets, split, /, kind=None, kinds=("site",), **info):
    """A sequence store without coordinates; `split` holds names."""
    n = len(codes)
    targets = np.asarray(targets, np.float32)
    targets = targets[:, None] if targets.ndim == 1 else targets
    defaults = {
        "dataset": "set1",
        "tf": "TF1",
        "alphabet": "dna",
        "labels": "binary",
        "negatives": "none",
        "targets": [f"TF{column + 1}" for column in range(targets.shape[1])],
        "chromosomes": [],
        "kinds": list(kinds),
    }
    return SequenceStore(
        codes=codes,
        targets=targets,
        split=np.array([SPLITS.index(name) for name in split], np.uint8),
        kind=np.zeros(n, np.uint8) if kind is None else np.asarray(kind, np.uint8),
        parent=np.arange(n),
        chrom=np.full(n, -1, np.int32),
        start=np.full(n, -1),
        strand=np.zeros(n, np.uint8),
        info=defaults | info,
    )


def genome_of(records, path=None):
    """A genome of records name -> letters; encoded at `path`, where one is given."""
    names, codes = list(records), [encode(letters) for letters in records.values()]
    lengths = [len(block) for block in codes]
    if path is not None:
        info = {"chromosomes": names, "lengths": lengths}
        write_arrays(path, {"codes": ((sum(lengths),), np.uint8)}, codes, info)
        return Genome.open(path)
    return Genome(names, lengths, np.concatenate(codes))


def bin_store_of(records, chroms, starts, labels, split, /, kind=None, genome=None, **info):
    """A store of bins; labels 0/1 [n, T], `split` names, `starts` those of the contexts.

    `info` holds bin and context; the genome is `genome`, or that of `records`.
    """
    genome = genome_of(records) if genome is None else genome
    labels = np.asarray(labels)
    defaults = {
        "dataset": "multitask",
        "alphabet": "dna",
        "labels": "binary",
        "targets": [f"TF{column + 1}" for column in range(labels.shape[1])],
        "left_out": [],
        "kinds": ["sampled", "unsampled"],
        "chromosomes": [[name, genome.lengths[name]] for name in genome.names],
        "seed": 1,
    }
    return BinStore(
        genome=genome,
        chrom=genome.indices(chroms).astype(np.int32),
        start=np.asarray(starts, np.int64),
        split=np.array([SPLITS.index(name) for name in split], np.uint8),
        kind=np.zeros(len(labels), np.uint8) if kind is None else np.asarray(kind, np.uint8),
        offsets=np.concatenate([[0], np.cumsum((labels > 0).sum(1))]),
        tracks=np.nonzero(labels)[1].astype(np.int32),
        info=defaults | info,
    )


def info_of(networks, **changes):
    """What `models.save` keeps beside the weights of trained networks."""
    kind = type(networks[0]).__name__
    n_targets = networks[0].hyperparameters["n_targets"]
    return {
        "network": kind,
        "preset": "tiny",
        "hyperparameters": networks[0].hyperparameters,
        "members": len(networks),
        "best_member": 0,
        "strands": "given",
        "alphabet": "dna",
        "labels": "binary",
        "targets": [f"TF{i + 1}" for i in range(n_targets)],
        "target_mean": 0.0,
        "target_scale": 1.0,
    } | changes
