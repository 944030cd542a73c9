"""Model cards, probabilities by them, and a model loaded elsewhere as the README says."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from builders import DANQ, bin_store_of, genome_of, info_of, random_codes, store_of

from motifloom import cards, models
from motifloom.files import InputError, write_table

IGNORED = shutil.ignore_patterns("__pycache__")
REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY / "config/schemas/card.schema.yaml"
LINE = {"dataset": "set1", "tf": "TF1", "path": "/data/set1.bed", "motif": "MA0139.2"}
TRAINED = {"dataset": "set1", "seed": 1, "setting": {"epochs": 2}}


def write_model(folder, network, **info):
    """Weights, history and motifs of a model, as the workflow leaves them in a folder."""
    model = models.TrainedModel([network], info_of([network], **TRAINED | info))
    models.save(model, folder / "weights.safetensors")
    write_table(pd.DataFrame({"member": [0, 0], "epoch": [1, 2]}), folder / "history.tsv")
    (folder / "found.meme").write_text("MEME version 4\n")
    return model


def write_metrics(path):
    columns = ["dataset", "tf", "model", "examples", "negatives", "n", "auroc", "pearson", "note"]
    rows = [
        ["set1", "TF1", "deepbind", "windows", "gc", 9, 0.75, None, ""],
        ["set1", "TF1", "pwm", "windows", "gc", 9, 0.5, None, ""],
    ]
    write_table(pd.DataFrame(rows, columns=columns), path)
    return path


@pytest.fixture
def shared(tmp_path):
    """A DeepBind's folder with weights, card and motifs, and its card."""
    torch.manual_seed(0)
    write_model(tmp_path, models.DeepBind(20, n_kernels=4, kernel_size=5), negatives="gc")
    targets, split = [1, 1, 0, 0, 1, 0], ["train", "train", "train", "validation", "test", "test"]
    store = store_of(
        random_codes(0, 6, 20), targets, split, kind=[0, 0, 1, 1, 0, 0],
        kinds=("given", "gc"), negatives="gc",
    )  # fmt: skip
    store.write(tmp_path / "sequences.safetensors")
    genome_of({"chr1": "ACGTN"}, tmp_path / "genome.safetensors")
    platt = {"method": "platt", "slope": 2.0, "intercept": -1.0}
    maps = {"dataset": "set1", "negatives": "gc", "models": {"deepbind": platt}}
    (tmp_path / "calibration.json").write_text(json.dumps(maps))
    return tmp_path, share(tmp_path, "sequences.safetensors", calibration="calibration.json")


def share(folder, store, calibration="", genome="genome.safetensors", name="deepbind", licence=""):
    inputs = {
        "weights": "weights.safetensors",
        "history": "history.tsv",
        "motifs": "found.meme",
        "store": store,
        "genome": genome,
        "calibration": calibration,
    }
    cards.share_model(
        {key: folder / path if path else "" for key, path in inputs.items()},
        [write_metrics(folder / "metrics.tsv")],
        folder / "card.json",
        folder / "motifs.meme",
        name=name,
        lines=[LINE],
        splits={"shared_kmer": 31},
        genome_file="genomes/tiny.fa.gz",
        licence=licence,
    )
    return json.loads((folder / "card.json").read_text())


def check(card):
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(card, schema)


def test_card_of_a_deepbind(shared):
    folder, card = shared
    check(card)
    assert card["weights"]["bytes"] == (folder / "weights.safetensors").stat().st_size
    assert card["model"]["parameters"] == 4 * 4 * 5 + 4 + 4 + 1
    assert card["input"]["codes"]["values"] == {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}
    assert [card["input"][key] for key in ("length", "shortest", "longest")] == [20, 5, None]
    assert card["output"]["targets"] == ["TF1"]
    assert card["data"]["datasets"] == [LINE | {"path": "set1.bed"}]
    assert card["data"]["examples"] == {
        "train": {"sequences": 3, "positives": 2, "negatives": {"gc": 1}},
        "validation": {"sequences": 1, "positives": 0, "negatives": {"gc": 1}},
        "test": {"sequences": 2, "positives": 1, "negatives": {"given": 1}},
    }
    assert card["data"]["genome"]["file"] == "tiny.fa.gz"
    assert card["training"] == {
        "seed": 1, "epochs": 2, "setting": {"epochs": 2}, "precision": "fp32",
    }  # fmt: skip
    assert card["metrics"] == [
        {
            "dataset": "set1", "tf": "TF1", "model": "deepbind", "examples": "windows",
            "negatives": "gc", "n": 9, "auroc": 0.75,
        }
    ]  # fmt: skip
    assert card["calibration"]["slope"] == 2
    assert card["licence"] is None
    assert (folder / "motifs.meme").read_bytes() == (folder / "found.meme").read_bytes()


def test_card_of_a_multitask_model(tmp_path):
    torch.manual_seed(0)
    network = models.DanQ(**DANQ)
    write_model(tmp_path, network, dataset="multitask", strands="mean", precision="bf16")
    genome = genome_of({"chr1": "ACGT" * 30}, tmp_path / "genome.safetensors")
    labels = [[1, 0, 1], [0, 0, 0], [1, 0, 0]]
    bin_store_of(
        None, ["chr1"] * 3, [0, 40, 80], labels, ["train", "train", "test"],
        genome=genome, bin=12, context=40, genome_sha256="0" * 64,
    ).write(tmp_path / "bins.safetensors")  # fmt: skip
    card = share(tmp_path, "bins.safetensors", name="danq", licence="CC-BY-4.0")
    check(card)
    assert card["data"]["examples"]["train"] == {
        "bins": 2, "positives": {"TF1": 1, "TF2": 0, "TF3": 1},
    }  # fmt: skip
    assert card["data"]["genome"]["sha256_of_codes"] == "0" * 64
    assert [card["input"][key] for key in ("shortest", "longest")] == [40, 40]
    assert [card[key] for key in ("metrics", "calibration", "licence")] == [[], None, "CC-BY-4.0"]
    assert card["training"]["precision"] == "bf16"


def test_card_of_scores_and_rna(tmp_path):
    torch.manual_seed(0)
    network = models.DeepBind(20, n_kernels=4, kernel_size=5, padding=True)
    changes = {"alphabet": "rna", "labels": "score", "target_mean": 7.0, "target_scale": 2.0}
    write_model(tmp_path, network, **changes)
    store = store_of(random_codes(0, 2, 20), [0.5, 2.5], ["train", "test"], labels="score")
    store.write(tmp_path / "sequences.safetensors")
    card = share(tmp_path, "sequences.safetensors", genome="")
    check(card)
    assert card["input"]["alphabet"] == "ACGU"
    assert card["input"]["one_hot"]["unknown"] == 0.25
    assert [card["output"][key] for key in ("kind", "scale", "mean")] == ["score", 2, 7]
    assert card["data"]["genome"] is None
    assert card["data"]["examples"]["test"] == {"sequences": 1}


def test_the_same_model_gives_the_same_card_without_folders(shared):
    folder, _ = shared
    before = (folder / "card.json").read_bytes()
    share(folder, "sequences.safetensors", calibration="calibration.json")
    assert (folder / "card.json").read_bytes() == before
    assert b"/data" not in before
    assert str(folder).encode() not in before


@pytest.mark.parametrize("name", ["", "card.json", "weights.safetensors"])
def test_card_is_found_by_folder_file_and_weights(shared, name):
    folder, card = shared
    assert cards.read_card(folder / name) == card


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is no JSON"), ("[]", "no model card"), ('{"format": 2}', "no")]
)
def test_other_files_are_no_cards(tmp_path, content, message):
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(InputError, match=message):
        cards.read_card(tmp_path)


def test_probabilities(shared):
    from motifloom.probabilities import probabilities

    folder, _ = shared
    codes = random_codes(1, 5, 20)
    scores = models.load(folder).score(codes)[:, 0].astype(float)
    found = probabilities(folder, codes)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(1 - 2 * scores)))


def test_no_probabilities_without_calibration(shared):
    from motifloom.probabilities import probabilities

    folder, _ = shared
    share(folder, "sequences.safetensors")
    with pytest.raises(InputError, match="its card has no calibration"):
        probabilities(folder, random_codes(1, 5, 20))


def test_load_takes_the_folder(shared):
    folder, _ = shared
    codes = random_codes(1, 5, 20)
    by_file = models.load(folder / "weights.safetensors").score(codes)
    assert models.load(folder).score(codes).tolist() == by_file.tolist()


def test_loading_unpickles_nothing(shared, monkeypatch):
    folder, _ = shared

    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler")]:
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    models.load(folder)
    cards.read_card(folder)


# A process that can open no connection.
GUARD = """
import socket
def refuse(*args, **kwargs): raise RuntimeError("no network")
socket.socket.connect = refuse
"""


def test_the_lines_of_the_readme_load_a_model_elsewhere(shared):
    folder, _ = shared
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Share and load a model")[2].partition("\n## ")[0]
    lines = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    place = re.search(r'load\("(.*?)"\)', lines)[1]
    (folder / place).parent.mkdir(parents=True)
    (folder / "weights.safetensors").rename(folder / place)
    (folder / "my.fa").write_text(">one\nACGTACGTACGTACGTACGTNN\n>two\nACGTAC\n")
    code = GUARD + lines + "\nprint(scores.shape, scores.dtype)"
    environment = {"PYTHONPATH": str(REPOSITORY / "workflow_scripts"), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.stdout == "(2, 1) float32\n", done.stderr


def test_the_library_can_be_installed(tmp_path):
    pytest.importorskip("setuptools", "77")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    library = "workflow_scripts/motifloom"
    shutil.copytree(REPOSITORY / library, source / library, ignore=IGNORED)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target")
    install = [sys.executable, "-m", "pip", "install", *options, target, source]
    subprocess.run(install, check=True, cwd=tmp_path, capture_output=True)
    found = {path.name for path in (target / "motifloom").glob("*.py")}
    assert found == {path.name for path in (REPOSITORY / library).glob("*.py")}
