"""The readers of everything that a user may give, or that lies on disk between two jobs.

Each reads a file and then uses what it read, as far as the next job would.
"""

import functools
import json
import os
import re
from pathlib import Path
from unittest import mock

import corpus
import numpy as np
import yaml
from trial import Target

RULES = corpus.REPOSITORY / "rules"


def _input_error():
    from motifloom.files import InputError

    return (InputError,)


def _workflow_error():
    from snakemake.exceptions import WorkflowError

    return (WorkflowError,)


# Text


def read_peaks(path: Path) -> None:
    from motifloom import readers

    peaks = readers.read_peaks(path)
    assert (peaks.start < peaks.end).all() and np.isin(peaks.start >= 0, True).all()
    readers.rename_chromosomes(peaks, corpus.LENGTHS, {"1": "chr1"}, path)


def read_excluded(path: Path) -> None:
    from motifloom import readers
    from motifloom.counts import Counts

    readers.read_excluded([path], corpus.LENGTHS, {"1": "chr1"}, Counts())


def read_regions(path: Path) -> None:
    from motifloom.regions import REGION_COLUMNS, read_named_regions, stretches_of

    found = read_named_regions(path, _genome())
    assert list(found) == list(REGION_COLUMNS) and found.strand.isin(["+", "-", "."]).all()
    assert (stretches_of(found, _genome()).last <= len(_genome().flat)).all()


def read_phased(path: Path) -> None:
    import pandas as pd

    from motifloom.haplotypes import haplotypes_of, sequence_of
    from motifloom.phased import read_phased
    from motifloom.sequences import Genome

    genome = Genome(["chr1", "chr2"], [500, 500], np.zeros(1000, np.uint8))
    columns = {"chrom": ["chr1", "chr2"], "start": [5, 0], "end": [80, 500]}
    regions = pd.DataFrame(columns)
    phased = read_phased(path, genome, regions, {"1": "chr1"})
    for region in regions.itertuples():
        for one in haplotypes_of(phased, genome, region)[0]:
            assert sequence_of(phased, genome, region, one).max(initial=0) <= 4


def read_aliases(path: Path) -> None:
    from motifloom import readers

    found = readers.read_aliases(path)
    assert all(found) and all(found.values())


@functools.cache
def _plain_genome():
    from motifloom.sequences import Genome

    lengths = list(corpus.LENGTHS.values())
    return Genome(list(corpus.LENGTHS), lengths, np.zeros(sum(lengths), np.uint8))


def read_variants(path: Path) -> None:
    from motifloom.vcf import VariantFile, find_alleles, spans_of

    genome = _plain_genome()
    for records in VariantFile(path).records(genome, {"1": "chrM"}, 5):
        alleles = find_alleles(records, genome).alleles
        assert (
            alleles.start + alleles.n_ref <= np.array(list(corpus.LENGTHS.values()))[alleles.chrom]
        ).all()
        begins, ends = spans_of(records)
        assert ((begins >= 0) & (begins < ends)).all()


def read_labels(path: Path) -> None:
    _read_sequences(path, "binary")


def read_scores(path: Path) -> None:
    _read_sequences(path, "score")


def _read_sequences(path: Path, labels: str) -> None:
    from motifloom import readers

    frame = readers.read_sequences(path, labels)
    assert np.isfinite(frame.value).all()
    codes = readers.to_codes(frame.sequence, "error", path, frame.line)
    assert codes.max() <= 4


def read_fasta(path: Path) -> None:
    from motifloom.sequences import read_fasta

    before = set(path.parent.iterdir())
    names, records = read_fasta(path)
    assert len(set(names)) == len(records)
    assert set(path.parent.iterdir()) == before


def read_meme(path: Path) -> None:
    from motifloom.databases import load_motif
    from motifloom.motif_files import read_meme

    for motif in read_meme(path):
        assert np.isfinite(motif.information) and motif.n_sites >= 0
    load_motif(f"{path}#MA1.1", "JASPAR2026")


def read_table(path: Path) -> None:
    from motifloom.evaluation import TEXT_COLUMNS
    from motifloom.files import read_table
    from motifloom.report_run import read_rows

    read_table(path, TEXT_COLUMNS)
    read_rows(path)


def read_chrom_sizes(path: Path) -> None:
    from motifloom.folds import assign_folds

    assign_folds(path, path.with_name("folds.tsv"), 2)


# Arrays and JSON


def read_store(path: Path) -> None:
    from motifloom.cards import count_examples
    from motifloom.sequences import reverse_complement
    from motifloom.store import SequenceStore

    store = SequenceStore.open(path)
    for split in ("train", "validation", "test"):
        reverse_complement(store.codes[store.rows(split, ("site", "gc"))])
    store.codes[store.parent]
    count_examples(store)
    np.array(store.info["chromosomes"] or [""])[store.chrom]


@functools.cache
def _genome():
    from motifloom.sequences import Genome

    random = np.random.default_rng(0)
    blocks = [random.integers(5, size=n, dtype=np.uint8) for n in corpus.LENGTHS.values()]
    return Genome(list(corpus.LENGTHS), list(corpus.LENGTHS.values()), np.concatenate(blocks))


def read_bins(path: Path) -> None:
    from motifloom.bin_store import BinStore
    from motifloom.cards import count_bins

    store = BinStore.open(path, _genome())
    for split in ("train", "validation", "test"):
        rows = store.rows(split, ("sampled",))[:9]
        assert store.codes(rows, margin=3).max(initial=0) <= 4
        store.labels(rows)
    for number in range(store.n_targets):
        store.track(np.arange(len(store)), number)
    count_bins(store)


def read_genome(path: Path) -> None:
    from motifloom.sequences import Genome, decode, extract_windows

    genome = Genome.open(path)
    for name, length in genome.lengths.items():
        decode(genome.codes(name))
        decode(extract_windows(genome, [name] * 2, [0, length - 5], 10).ravel())


def read_weights(path: Path) -> None:
    """Both ways of loading, and scores of a short sequence by each."""
    from motifloom import inference, models

    codes = np.zeros((2, 40), np.uint8)
    for model in (models.load(path), inference.load(path)):
        length = model.info["hyperparameters"]["length"]
        with np.errstate(all="ignore"):  # numbers may be of any size
            model.score(codes[:, :length] if length <= 40 else codes)


def read_checkpoint(path: Path) -> None:
    """None is a refusal: the log says why, and the training begins anew."""
    from motifloom.checkpoints import Checkpoint, Signals
    from motifloom.files import InputError

    found = Checkpoint(path, "d", 1.0, Signals()).load()
    if found is None:
        raise InputError(f"{path}: is not taken up")
    tensors, state = found
    assert all(tensor.numel() >= 0 for tensor in tensors.values()) and isinstance(state, dict)


def read_card(path: Path) -> None:
    from motifloom.calibration import apply
    from motifloom.cards import read_card

    card = read_card(path)
    assert isinstance(card["model"], dict)
    if card["calibration"]:
        found = apply(card["calibration"], np.array([-1.0, 0.0, 5.0]))
        assert ((found >= 0) & (found <= 1)).all()


def read_calibration(path: Path) -> None:
    from motifloom.calibration import read_maps

    found = read_maps(path)
    assert isinstance(found["negatives"], str)
    found["models"].get("deepbind")


def read_provenance(path: Path) -> None:
    from motifloom.provenance import read_provenance

    assert isinstance(read_provenance(path.parent), dict)


def read_checksums(path: Path) -> None:
    from motifloom.provenance import read_checksums

    assert not any(name.startswith("/") for name in read_checksums(path))


def read_archive(path: Path) -> None:
    from motifloom.freezing import check_archive

    check_archive(path)


# What Snakemake reads


@functools.cache
def _checks():
    """The part of rules/common.smk that reads config and tables: plain Python, as it stands."""
    text = (
        (RULES / "common.smk").read_text(encoding="utf-8").partition("\nwildcard_constraints:")[0]
    )
    return compile(text, str(RULES / "common.smk"), "exec")


@functools.cache
def _schema(path: str) -> str:
    return json.dumps(yaml.safe_load(Path(path).read_text(encoding="utf-8")))


def checked(config: dict) -> dict:
    """The names that rules/common.smk defines for a config; raises what it raises."""
    names = {"config": config}
    folder = os.getcwd()
    os.chdir(RULES)  # schemas are named from there
    try:
        # The schemas are files of ours; loading them anew would take most of the time.
        with mock.patch(
            "snakemake.utils._load_configfile", lambda path, filetype: json.loads(_schema(path))
        ):
            exec(_checks(), names)
    finally:
        os.chdir(folder)
    _check_inside(names)
    return names


def _check_inside(names: dict) -> None:
    """What was accepted stays within the folders of the results, and apart."""
    folders = [names["RESULTS"]]
    assert names["RESULTS"].count("/") == 1
    keys = [*names["DATASETS"], "multitask"]
    folders += [f"{names['RESULTS']}/sequences/{name}" for name in names["DATASETS"]]
    folders += [f"{names['RESULTS']}/scores/{name}" for name in names["config"]["score"]]
    files = names["config"]["variants"]["files"]
    folders += [f"{names['RESULTS']}/variants/{name}" for name in files]
    assert not any(folder.rpartition("/")[2].startswith(("-", ".")) for folder in folders)
    folders += [f"{names['RESULTS']}/downloads/0/{path}" for path in names["DOWNLOADS"]]
    for folder in folders:
        assert (
            "/../" not in f"{folder}/"
            and os.path.normpath(folder) == folder
            and not re.search("[\\x00-\\x1f\\x7f]", folder)
        )
        assert all(len(part.encode()) <= 200 for part in folder.split("/")), folder
    assert len({key.casefold() for key in keys}) == len(keys)


def _valid(path: Path, **changes) -> dict:
    """A config whose dataset table is sound and lies beside `path`."""
    sheet = path.with_name("sound.tsv")
    if not sheet.exists():
        sheet.write_bytes(corpus.sheets()[0])
    return {"name": "mine", "datasets": str(sheet), "genome": {"fasta": "g.fa"}, **changes}


def read_config(path: Path) -> None:
    from snakemake.common.configfile import load_configfile
    from snakemake.exceptions import WorkflowError

    try:
        config = load_configfile(str(path))
    except (ValueError, RecursionError) as error:
        # Snakemake's own end of files that are no UTF-8 or nested thousands deep.
        raise WorkflowError("Snakemake cannot load it") from error
    if isinstance(config.get("datasets"), str) and config["datasets"]:
        config["datasets"] = _valid(path)["datasets"]
    if isinstance(config.get("downloads"), str):
        config["downloads"] = ""
    if isinstance(config.get("data_folder"), str):
        config["data_folder"] = ""
    checked(config)


def read_names(path: Path) -> None:
    """A name of a run, of a FASTA to score and of a dataset: refused, or a folder of its own."""
    from snakemake.exceptions import WorkflowError

    name = path.read_bytes().decode("utf-8", "replace")[:2000]
    sheet = path.with_name("named.tsv")
    row = [name, "A", "sequences", "a", "", "dna", "binary", ""]
    sheet.write_text(corpus.SHEET + "\t".join(row) + "\n", encoding="utf-8", newline="")
    changes = (
        {"name": name},
        {"score": {name: "a.fa"}},
        {"variants": {"files": {name: "a.vcf"}}},
        {"datasets": str(sheet)},
    )
    refused = []
    for change in changes:
        try:
            checked(_valid(path, **change))
        except WorkflowError as error:
            refused.append(error)
    if refused:
        raise max(refused, key=lambda error: len(str(error)))


def read_sheet(path: Path) -> None:
    checked(_valid(path, datasets=str(path)))


def read_downloads(path: Path) -> None:
    checked(_valid(path, downloads=str(path)))


def _of_library(name, file, kind, seeds, read, inputs, multiple) -> Target:
    return Target(name, file, kind, seeds, read, inputs, multiple, _input_error)


def _of_rules(name, file, kind, seeds, read, inputs, multiple) -> Target:
    return Target(name, file, kind, seeds, read, inputs, multiple, _workflow_error)


def _files(kind: str):
    return functools.partial(corpus.files, kind)


# Names, files, kinds, seeds, readers, inputs of a whole run, bytes of memory a byte.
TARGETS = {
    target.name: target
    for target in (
        _of_library("peaks", "a.bed", "text", corpus.peaks, read_peaks, 14_000, 150),
        _of_library("excluded", "a.bed", "text", corpus.peaks, read_excluded, 8_000, 150),
        _of_library("regions", "a.bed", "text", corpus.peaks, read_regions, 8_000, 150),
        _of_library("phased", "a.vcf", "text", corpus.phased, read_phased, 6_000, 150),
        _of_library("aliases", "a.tsv", "text", corpus.aliases, read_aliases, 7_000, 150),
        _of_library("variants", "a.vcf", "text", corpus.variants, read_variants, 8_000, 150),
        _of_library("labels", "a.tsv", "text", corpus.sequences, read_labels, 8_000, 150),
        _of_library("scores", "a.tsv", "text", corpus.sequences, read_scores, 7_000, 150),
        _of_library("fasta", "a.fa", "text", corpus.fasta, read_fasta, 8_000, 300),
        _of_library("meme", "a.meme", "text", corpus.motifs, read_meme, 10_000, 150),
        _of_library("tables", "a.tsv", "text", corpus.tables, read_table, 5_000, 300),
        _of_library(
            "chrom_sizes", "a.sizes", "text", corpus.chrom_sizes, read_chrom_sizes, 3_000, 150
        ),
        _of_library("store", "a.safetensors", "arrays", _files("store"), read_store, 6_000, 50),
        _of_library("bins", "a.safetensors", "arrays", _files("bins"), read_bins, 6_000, 50),
        _of_library("genome", "a.safetensors", "arrays", _files("genome"), read_genome, 6_000, 50),
        _of_library(
            "weights", "a.safetensors", "arrays", _files("weights"), read_weights, 5_000, 50
        ),
        _of_library(
            "checkpoint",
            "a.safetensors",
            "arrays",
            _files("checkpoint"),
            read_checkpoint,
            5_000,
            50,
        ),
        _of_library("card", "a.json", "json", corpus.card, read_card, 5_000, 150),
        _of_library(
            "calibration", "a.json", "json", corpus.calibration, read_calibration, 5_000, 150
        ),
        _of_library(
            "provenance",
            "provenance.json",
            "json",
            corpus.provenance,
            read_provenance,
            3_000,
            150,
        ),
        _of_library("checksums", "a.sha256", "text", corpus.checksums, read_checksums, 3_000, 150),
        _of_library("archive", "a.zip", "bytes", corpus.archives, read_archive, 4_000, 150),
        _of_rules("config", "a.yaml", "text", corpus.configs, read_config, 2_000, 300),
        _of_rules("names", "a.txt", "text", corpus.names, read_names, 2_000, 300),
        _of_rules("datasets", "a.tsv", "text", corpus.sheets, read_sheet, 4_000, 300),
        _of_rules("downloads", "a.tsv", "text", corpus.downloads, read_downloads, 4_000, 300),
    )
}
