"""Files by address, from a server on this machine: fetched once, checked, and clear when not."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from serving import Server, sha256, write_downloads

from motifloom.files import read_table
from motifloom.sequences import encode
from motifloom.store import SequenceStore

REPOSITORY = Path(__file__).parents[2]
STORE = "results/tiny/sequences/Reb1/sequences.safetensors"
CHROMOSOMES = {"chrI": "chr1", "chrII": "chr2", "chrIII": "chr3"}
LENGTH = 12_000


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "www")
    yield server
    server.stop()


@pytest.fixture
def yeast(project, server):
    """A project whose data lie on the server as yeast's do in public; its genome by name.

    The genome says chrI; peaks and excluded regions say chr1. The peaks are in no order, five of
    them stand there twice; the excluded regions name a plasmid that the genome lacks.
    """
    random = np.random.default_rng(3)
    genome = {name: "".join(random.choice(list("ACGT"), LENGTH).tolist()) for name in CHROMOSOMES}
    fasta = "".join(f">{name}\n{sequence}\n" for name, sequence in genome.items())
    (server.folder / "genome.fa.gz").write_bytes(gzip.compress(fasta.encode(), mtime=0))
    places = [(name, start) for name in CHROMOSOMES.values() for start in range(400, 11_600, 350)]
    lines = [f"{name}\t{start}\t{start + 1}\t{name}_{start}\t1000\t.\n" for name, start in places]
    random.shuffle(lines)
    (server.folder / "Reb1_CX.bed").write_text("".join([*lines, *lines[:5]]))
    (server.folder / "exclude.bed").write_text("chr1\t1\t801\nchrM\t1\t85779\nchr2-micron\t1\t9\n")
    project.datasets = [("Reb1", "Reb1", "peaks", "peaks/Reb1.bed", "", "dna", "binary", "")]
    project.config |= {
        "downloads": "downloads.tsv",
        "genome": {
            "fasta": "genome.fa.gz",
            "excluded": ["exclude.bed"],
            "chromosome_aliases": "aliases.tsv",
        },
        "splits": {
            "test": {"by": "chromosomes", "chromosomes": ["chrII"]},
            "validation": {"by": "chromosomes", "chromosomes": ["chrIII"]},
        },
        "negatives": {"kinds": ["dinucleotide"]},
        "multitask": {"datasets": []},
    }
    shutil.copy(REPOSITORY / "config/yeast/aliases.tsv", project.folder)
    served = {"genome.fa.gz": "genome.fa.gz", "exclude.bed": "exclude.bed"}
    served["peaks/Reb1.bed"] = "Reb1_CX.bed"
    write_downloads(
        project.folder / "downloads.tsv",
        [
            (path, server.address(name), sha256(server.folder / name) if path != name else "")
            for path, name in served.items()
        ],
    )
    return project, genome


def only_peaks(project, server, digest=None, name="Reb1_CX.bed"):
    """Leave the peaks alone in the table of downloads, and call the workflow for them."""
    digest = sha256(server.folder / "Reb1_CX.bed") if digest is None else digest
    line = ("peaks/Reb1.bed", server.address(name), digest)
    write_downloads(project.folder / "downloads.tsv", [line])
    project.config["genome"] |= {"fasta": "data/genome.fa", "excluded": []}
    return project.run(STORE, "--until", "download")


def kept(project):
    """The downloaded files of a project, and what is left of them elsewhere."""
    downloads = project.results / "downloads"
    storage = project.folder / ".snakemake/storage"
    found = [path for folder in (downloads, storage) for path in folder.rglob("*")]
    return [path.name for path in found if path.is_file()]


def test_public_names_become_the_genomes_and_nothing_is_asked_for_twice(yeast, server):
    project, genome = yeast
    result = project.run(STORE)
    assert result.returncode == 0, result.output
    fetched = [path for method, path in server.requests if method == "GET"]
    assert sorted(fetched) == ["Reb1_CX.bed", "exclude.bed", "genome.fa.gz"]
    assert sorted(kept(project)) == ["Reb1.bed", "exclude.bed", "genome.fa.gz"]

    store = SequenceStore.open(project.folder / STORE)
    sites = [i for i in range(len(store)) if store.info["kinds"][store.kind[i]] == "site"]
    names = [store.info["chromosomes"][store.chrom[i]] for i in sites]
    assert set(names) == set(CHROMOSOMES)
    for i, name in zip(sites, names, strict=True):
        first = store.start[i]
        np.testing.assert_array_equal(store.codes[i], encode(genome[name][first : first + 101]))
    counts = (
        read_table((project.folder / STORE).with_name("qc.tsv")).groupby("stage")["count"].sum()
    )
    assert counts["peaks read"] == 96 + 5
    assert counts["dropped: unknown chromosome"] == 0
    assert counts["dropped: same window as a stronger peak"] == 5
    assert counts["dropped: in an excluded region"] == 2

    server.stop()
    again = project.plan(STORE)
    assert again.returncode == 0, again.output
    assert "Nothing to be done" in again.output
    # What comes after needs no server either.
    assert "train_deepbind" in project.plan("results/tiny/models/deepbind/Reb1/history.tsv").rules


def test_a_changed_line_fetches_anew(yeast, server):
    project, _ = yeast
    first = only_peaks(project, server)
    assert first.returncode == 0, first.output
    assert "download" not in project.plan(STORE).rules
    shutil.copy(server.folder / "Reb1_CX.bed", server.folder / "moved.bed")
    second = only_peaks(project, server, name="moved.bed")
    assert second.returncode == 0, second.output
    assert ("GET", "moved.bed") in server.requests


def test_wrong_digest_leaves_no_file(yeast, server):
    project, _ = yeast
    result = only_peaks(project, server, digest="0" * 64)
    assert result.returncode != 0
    expected = (
        f"the downloaded file has sha256 {sha256(server.folder / 'Reb1_CX.bed')}, expected 00"
    )
    assert expected in result.output
    assert "fetch it again, or mend the table of downloads" in result.output
    assert "Traceback" not in result.output
    assert kept(project) == []


def test_body_cut_short_leaves_no_file(yeast, server):
    project, _ = yeast
    server.cut_short.add("Reb1_CX.bed")
    result = only_peaks(project, server, digest="")
    assert result.returncode != 0
    assert (
        f"Failed to retrieve storage object from {server.address('Reb1_CX.bed')}" in result.output
    )
    assert "IncompleteRead" in result.output
    assert kept(project) == []


def test_missing_address_is_named(yeast, server):
    project, _ = yeast
    result = only_peaks(project, server, name="gone.bed")
    assert result.returncode != 0
    assert "Missing input files for rule download" in result.output
    assert server.address("gone.bed") in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (("peaks/Reb1.bed", "http://127.0.0.1:1/b", ""), "path 'peaks/Reb1.bed' stands on two"),
        (("other.bed", "http://127.0.0.1:1/a?id=2", ""), "'http://127.0.0.1:1/a' stands on two"),
        (("other.bed", "http://127.0.0.1:1/b", "abc"), "sha256"),
    ],
)
def test_faults_of_the_table_are_told_before_anything_runs(yeast, second, message):
    project, _ = yeast
    lines = [("peaks/Reb1.bed", "http://127.0.0.1:1/a?id=1", ""), second]
    write_downloads(project.folder / "downloads.tsv", lines)
    result = project.plan(STORE)
    assert result.returncode != 0
    assert message in result.output
    assert "Traceback" not in result.output
