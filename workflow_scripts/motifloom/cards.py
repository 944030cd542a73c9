"""Model cards: what others must know to use a trained model, as JSON beside its weights.

The form is config/schemas/card.schema.yaml. A card has neither dates nor folders of the machine it
was written on: the same model gives the same bytes.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

import motifloom
from motifloom import calibration
from motifloom.bin_store import BinStore
from motifloom.evaluation import TEXT_COLUMNS
from motifloom.files import (
    InputError,
    atomic,
    file_digest,
    is_whole,
    open_text,
    parse_json,
    read_table,
    write_text,
)
from motifloom.sequences import UNKNOWN, Genome
from motifloom.store import SPLITS, SequenceStore
from motifloom.versions import installed
from motifloom.weights import read_model, takes_any_length, unknown_base, weights_file

FORMAT = 1
# What a card must have, of the kinds that config/schemas/card.schema.yaml gives.
_SECTIONS = {
    "model": dict,
    "weights": dict,
    "input": dict,
    "output": dict,
    "data": dict,
    "training": dict,
    "metrics": list,
    "calibration": dict | None,
    "licence": str | None,
    "versions": dict,
    "citation": list,
}
_PACKAGES = ("numpy", "safetensors", "torch")
_SOFTWARE = (
    "motifloom {}: trained sequence models and motifs from transcription-factor binding data"
)
_PAPERS = {
    "DeepBind": "Alipanahi et al. 2015, Nature Biotechnology 33, 831-838",
    "DanQ": "Quang & Xie 2016, Nucleic Acids Research 44, e107",
    "ResNet": "He et al. 2016, CVPR, 770-778",
    "RNN": "Elman 1990, Cognitive Science 14, 179-211",
    "LSTM": "Hochreiter & Schmidhuber 1997, Neural Computation 9, 1735-1780",
}


def share_model(
    inputs: Mapping[str, str | Path],
    metrics: Iterable[str | Path],
    card: str | Path,
    motifs: str | Path,
    *,
    name: str,
    lines: Iterable[Mapping[str, str]],
    splits: Mapping,
    genome_file: str,
    licence: str,
) -> None:
    """Write a trained model's card, and copy its motifs beside it.

    `inputs` maps to paths: weights, history, store, motifs, genome (encoded; "" for sequence
    tables) and calibration (the maps of its dataset's models, or ""). `metrics` are the tables that
    hold rows of the model `name`, `lines` those of the dataset table that it was trained on.
    """
    arrays, info = read_model(inputs["weights"])
    content = {
        "format": FORMAT,
        "model": _model(info, arrays, name),
        "weights": _weights(inputs["weights"]),
        "input": _input(info),
        "output": _output(info),
        "data": _data(info, inputs, lines, splits, genome_file),
        "training": _training(info, inputs["history"]),
        "metrics": read_metrics(metrics, name),
        "calibration": _calibration(inputs["calibration"], name),
        "licence": licence or None,
        "versions": _versions(info),
        "citation": [_SOFTWARE.format(motifloom.__version__), _PAPERS[info["network"]]],
    }
    write_text(json.dumps(content, sort_keys=True, indent=2, allow_nan=False) + "\n", card)
    with atomic(motifs) as temporary:
        shutil.copyfile(inputs["motifs"], temporary)


def read_card(path: str | Path) -> dict:
    """A card, given its file, its folder or the weights beside it; InputError where it is none."""
    path = Path(path)
    path = path if path.suffix == ".json" else weights_file(path).with_name("card.json")
    with open_text(path) as stream:
        try:
            card = parse_json(stream.read())
        except ValueError as error:
            raise InputError(f"{path}: is no JSON; write the card again") from error
    if not isinstance(card, dict) or not is_whole(card.get("format"), FORMAT, FORMAT):
        raise InputError(f"{path}: is no model card of format {FORMAT}; write the card again")
    for name, kind in _SECTIONS.items():
        if not isinstance(card.get(name, ...), kind):
            raise InputError(f"{path}: lacks {name} or has another form of it; write it again")
    if card["calibration"]:
        calibration.check_map(card["calibration"], path)
    return card


def _model(info: Mapping, arrays: Mapping[str, np.ndarray], name: str) -> dict:
    kept = ("network", "preset", "members", "hyperparameters")
    parameters = sum(array.size for array in arrays.values())
    return {"name": name, "parameters": parameters} | {key: info[key] for key in kept}


def _weights(path: str | Path) -> dict:
    path = Path(path)
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)}


def _input(info: Mapping) -> dict:
    letters = "ACGU" if info["alphabet"] == "rna" else "ACGT"
    settings, any_length = info["hyperparameters"], takes_any_length(info)
    return {
        "alphabet": letters,
        "length": settings["length"],
        "shortest": settings["kernel_size" if any_length else "length"],
        "longest": None if any_length else settings["length"],
        "codes": {
            "dtype": "uint8",
            "shape": ["N", "L"],
            "values": {letter: code for code, letter in enumerate(letters)} | {"N": UNKNOWN},
        },
        "one_hot": {"dtype": "float32", "shape": ["N", 4, "L"], "unknown": unknown_base(info)},
    }


def _output(info: Mapping) -> dict:
    return {
        "dtype": "float32",
        "shape": ["N", "T"],
        "targets": info["targets"],
        "kind": "score" if info["labels"] == "score" else "logit",
        "strands": info["strands"],
        "scale": info["target_scale"],
        "mean": info["target_mean"],
    }


def _data(info, inputs, lines, splits, genome_file) -> dict:
    if info["dataset"] == "multitask":
        store = BinStore.open(inputs["store"], inputs["genome"])
        examples, digest = count_bins(store), store.info["genome_sha256"]
    else:
        store = SequenceStore.open(inputs["store"])
        examples = count_examples(store)
        digest = Genome.open(inputs["genome"]).digest() if inputs["genome"] else ""
    return {
        "name": info["dataset"],
        "datasets": [_without_folders(line) for line in lines],
        "labels": info["labels"],
        "negatives": info.get("negatives"),
        "bin": store.info.get("bin"),
        "genome": {"file": Path(genome_file).name, "sha256_of_codes": digest} if digest else None,
        "splits": dict(splits),
        "examples": examples,
    }


def _without_folders(line: Mapping[str, str]) -> dict[str, str]:
    """A dataset's line with the names of its files alone."""
    paths = ("path", "test_path", "motif")
    return {key: Path(text).name if key in paths else text for key, text in line.items()}


def count_examples(store: SequenceStore) -> dict:
    """By split how many sequences are stored; of 0/1 labels how many positives and negatives."""
    bound, found = (store.targets > 0).any(1), {}
    for number, split in enumerate(SPLITS):
        own = store.split == number
        found[split] = {"sequences": int(own.sum())}
        if store.info["labels"] == "score":
            continue
        negatives = np.bincount(store.kind[own & ~bound], minlength=len(store.info["kinds"]))
        kinds = zip(store.info["kinds"], negatives.tolist(), strict=True)
        found[split] |= {
            "positives": int((own & bound).sum()),
            "negatives": {kind: n for kind, n in kinds if n},
        }
    return found


def count_bins(store: BinStore) -> dict:
    """By split how many bins there are, and how many of them each target labels."""
    found = {}
    for split in SPLITS:
        rows = store.rows(split)
        counts = store.positives(rows).tolist()
        positives = dict(zip(store.info["targets"], counts, strict=True))
        found[split] = {"bins": len(rows), "positives": positives}
    return found


def _training(info: Mapping, history: str | Path) -> dict:
    epochs = read_table(history)["epoch"].max()  # counted in parts where looks are more often
    return {
        "seed": info["seed"],
        "epochs": None if pd.isna(epochs) else epochs.item(),
        "setting": info["setting"],
        "precision": info.get("precision", "fp32"),
    }


def read_metrics(tables: Iterable[str | Path], model: str) -> list[dict]:
    """The rows of a model in tables of the form of metrics.tsv, without what is missing."""
    frames = [read_table(path, TEXT_COLUMNS) for path in tables]
    rows = [row for frame in frames for row in frame[frame.model == model].to_dict("records")]
    return [
        {key: value for key, value in row.items() if not pd.isna(value) and value != ""}
        for row in rows
    ]


def _calibration(path: str | Path, model: str) -> dict | None:
    """The model's map from scores to probabilities, where there is one."""
    if not path:
        return None
    maps = calibration.read_maps(path)
    found = maps["models"].get(model)
    return found and found | {"negatives": maps["negatives"]}


def _versions(info: Mapping) -> dict[str, str]:
    """Of the packages that the card was written with, and of those kept with the weights."""
    return installed(_PACKAGES) | {name: info[name] for name in ("numba", "torch") if name in info}
