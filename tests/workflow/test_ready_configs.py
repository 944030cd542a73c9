"""The ready configurations, yeast, ENCODE and hg38: complete, and planned without any network."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from serving import Server, write_downloads

from motifloom.databases import load_motif
from motifloom.readers import read_aliases

REPOSITORY = Path(__file__).parents[2]
YEAST_DATA = REPOSITORY.parent / "shared/data/yeast"
needs_yeast_data = pytest.mark.skipif(
    not YEAST_DATA.is_dir(), reason="the yeast data are not at ../shared/data/yeast"
)

ENCODE_DATA = REPOSITORY.parent / "shared/data/encode_deepbind"
needs_encode_data = pytest.mark.skipif(
    not ENCODE_DATA.is_dir(), reason="the ENCODE sets are not at ../shared/data/encode_deepbind"
)


def read(path):
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def read_config(name):
    return yaml.safe_load((REPOSITORY / f"config/{name}/config.yaml").read_text(encoding="utf-8"))


def call(folder, source, name, *settings, options=("--dry-run",)):
    """Return code and output of a ready configuration, called as its README says."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", source / "Snakefile"]
    command += ["--directory", folder, "--configfile", folder / f"config/{name}/config.yaml"]
    command += ["--cores", "2", *options]
    command += ["--config", *settings] if settings else []
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def plan(folder, source, name, *settings):
    """Numbers of jobs, by rule, of a dry run."""
    returncode, output = call(folder, source, name, *settings)
    assert returncode == 0, output
    table = output[output.rindex("Job stats:") :]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.fixture
def folder(tmp_path):
    """A working folder with the project's config in it."""
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    return tmp_path


@pytest.mark.parametrize("name", ["yeast", "hg38"])
def test_all_named_files_can_be_fetched(name):
    config = read_config(name)
    datasets = read(REPOSITORY / config["datasets"])
    downloads = read(REPOSITORY / config["downloads"])
    named = {config["genome"]["fasta"], *config["genome"]["excluded"], *datasets["path"]}
    assert set(downloads["path"]) == named
    assert downloads["path"].is_unique
    assert downloads["url"].is_unique
    assert downloads["url"].str.startswith("https://").all()


def test_yeast_lists_all_its_tfs():
    config = read_config("yeast")
    datasets = read(REPOSITORY / config["datasets"])
    assert len(datasets) == 49
    assert config["multitask"]["datasets"] == datasets["dataset"].tolist()
    digests = read(REPOSITORY / config["downloads"]).set_index("path")["sha256"]
    assert digests.index[digests == ""].tolist() == [config["genome"]["fasta"]]


def test_yeast_aliases_reach_every_chromosome():
    config = read_config("yeast")
    names = set(read(REPOSITORY / config["genome"]["sequences"])["name"])
    aliases = read_aliases(REPOSITORY / config["genome"]["chromosome_aliases"])
    assert set(aliases.values()) == names
    numerals = [name.removeprefix("chr") for name in names - {"chrM"}]
    assert {f"chr{number}" for number in range(1, 17)} | set(numerals) <= set(aliases)
    assert [aliases[name] for name in ("chr4", "IX", "chr16", "MT", "Mito", "chrMT")] == [
        "chrIV", "chrIX", "chrXVI", "chrM", "chrM", "chrM",
    ]  # fmt: skip


@needs_yeast_data
def test_yeast_lists_what_the_data_folder_holds():
    config = read_config("yeast")
    datasets = read(REPOSITORY / config["datasets"])
    known = read(YEAST_DATA / "tfs.tsv")
    for column, other in (("tf", "tf"), ("path", "peaks"), ("motif", "jaspar_id")):
        assert datasets[column].tolist() == known[other].tolist()
    remote = read(YEAST_DATA / "remote.tsv")
    paths = dict(zip(known["tf"], known["peaks"], strict=True)) | {"exclude": "exclude.bed"}
    remote.insert(0, "path", remote["tf"].map(paths))
    downloads = read(REPOSITORY / config["downloads"])
    peaks = downloads[downloads["path"] != config["genome"]["fasta"]].sort_values("path")
    expected = remote.drop(columns="tf").sort_values("path")
    assert peaks.to_numpy().tolist() == expected.to_numpy().tolist()
    sequences = config["genome"]["sequences"]
    assert (REPOSITORY / sequences).read_text() == (YEAST_DATA / Path(sequences).name).read_text()


@needs_yeast_data
def test_yeast_is_planned_from_a_data_folder(folder, source):
    jobs = plan(folder, source, "yeast", f"data_folder={YEAST_DATA}")
    assert jobs["extract_windows"] == jobs["train_deepbind"] == jobs["evaluate_bins"] == 49
    assert jobs["encode_genome"] == jobs["write_report"] == 1
    assert jobs["train_multitask"] == 5
    assert not {"download", "simulate_example"} & set(jobs)


def test_encode_motifs_are_in_their_jaspar_release():
    config = read_config("encode_chipseq")
    datasets = read(REPOSITORY / config["datasets"])
    found = [load_motif(m, config["motifs"]["jaspar"]["release"]) for m in datasets["motif"]]
    assert [motif.alt_name.upper() for motif in found] == datasets["tf"].tolist()


def test_encode_without_its_data_ends_in_a_sentence(folder, source):
    returncode, output = call(folder, source, "encode_chipseq")
    assert returncode == 1
    assert "data_folder: 'data/encode_deepbind' is no folder; name the one that holds" in output
    assert "Traceback" not in output
    assert len(output.splitlines()) < 10


@needs_encode_data
def test_encode_lists_what_the_data_folder_holds():
    datasets = read(REPOSITORY / read_config("encode_chipseq")["datasets"])
    named = [*datasets["path"], *datasets["test_path"]]
    assert sorted(named) == sorted(path.name for path in ENCODE_DATA.glob("*.seq.gz"))


@needs_encode_data
def test_encode_is_planned_and_encoded_from_a_data_folder(folder, source):
    settings = f"data_folder={ENCODE_DATA}"
    jobs = plan(folder, source, "encode_chipseq", settings)
    assert jobs["encode_sequences"] == jobs["evaluate_windows"] == 5
    assert jobs["train_deepbind"] == 3 * 5
    assert not {"encode_genome", "extract_windows", "train_multitask", "download"} & set(jobs)
    target = "results/encode_chipseq/sequences/ELK1_GM12878/qc.tsv"
    returncode, output = call(folder, source, "encode_chipseq", settings, options=[target])
    assert returncode == 0, output
    counts = read(folder / target).set_index("stage")["count"]
    # 500 of the test file's sequences are its negatives.
    assert counts[["validation sites", "test sites"]].tolist() == ["250", "1000"]


def test_hg38_is_planned_from_a_server_of_stubs(folder, source, tmp_path):
    server = Server(tmp_path / "www")
    table = folder / "config/hg38/downloads.tsv"
    paths = read(table)["path"].tolist()
    for path in paths:
        stub = server.folder / path
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("stub\n")
    write_downloads(table, [(path, server.address(path), "") for path in paths])
    try:
        jobs = plan(folder, source, "hg38")
    finally:
        server.stop()
    assert jobs["download"] == len(paths) == 3
    assert jobs["extract_windows"] == jobs["train_deepbind"] == 1
    assert not {"label_bins", "train_multitask", "simulate_example"} & set(jobs)
    assert {method for method, _ in server.requests} == {"HEAD"}
