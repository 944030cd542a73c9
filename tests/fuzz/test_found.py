"""What fuzzing found, each as the literal input: refused in a sentence, or read."""

import gzip
import io
import json
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path

import corpus
import mutations
import numpy as np
import pytest
import torch
from targets import checked

from motifloom import calibration, cards, inference, models, presets, readers
from motifloom.bin_store import BinStore
from motifloom.checkpoints import Checkpoint, Signals
from motifloom.files import InputError, check_readable, open_text, parse_json, read_table
from motifloom.folds import assign_folds
from motifloom.freezing import check_archive
from motifloom.motif_files import read_meme
from motifloom.report_run import read_rows
from motifloom.sequences import Genome, read_fasta
from motifloom.store import SequenceStore, read_arrays

LIBRARY = corpus.REPOSITORY / "workflow_scripts"


@pytest.fixture
def write(tmp_path):
    def _write(content, name="input"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def refused(read, path, *says):
    with pytest.raises(InputError) as caught:
        read(path)
    rest = str(caught.value).replace(str(path), "")
    assert rest.isprintable()
    assert len(rest) < 1000
    for words in says:
        assert words in rest


# Sentences


def test_a_sentence_stays_one_line_of_some_hundred_letters(write):
    path = write("chr1\t" + "9" * 5000 + "\t20\n")
    refused(readers.read_peaks, path, "line 1: start (column 2) is '999", "[...]", "whole bases")
    refused(read_fasta, write(">a\u202eb\n>c\nA\n"), "has no sequence")
    assert str(InputError("a\n\n b\x00c")) == "a b c"


@pytest.mark.parametrize(
    "read",
    [readers.read_peaks, readers.read_aliases, read_meme, read_fasta, read_arrays, models.load],
)
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    refused(read, tmp_path / "pipe", "is a pipe or device")


def test_devices_are_no_files():
    with pytest.raises(InputError, match="pipe or device"):
        check_readable("/dev/zero")


# Compressed text


def test_a_bomb_is_refused_before_it_is_unpacked(write):
    path = write(gzip.compress(b"\n" * (70 << 20), 9))
    assert path.stat().st_size < 100_000
    refused(readers.read_peaks, path, "unpacks to more than 67,108,864 bytes")


@pytest.mark.parametrize("read", [readers.read_peaks, read_fasta])
def test_bombs_by_bounds(write, monkeypatch, read):
    monkeypatch.setattr("motifloom.files.UNPACKED_BYTES", 1000)
    monkeypatch.setattr("motifloom.files.UNPACKED_TIMES", 2)
    refused(read, write(gzip.compress(b">a\n" + b"A" * 5000)), "unpacks to more than 1,000 bytes")


def test_bounds_leave_other_files_alone(write, monkeypatch):
    monkeypatch.setattr("motifloom.files.UNPACKED_BYTES", 1000)
    text = "".join(f"chr1\t{i}\t{i + 1}\n" for i in range(500))
    path = write(gzip.compress(text.encode()))
    assert len(readers.read_peaks(path)) == 500
    with open_text(path) as stream:
        assert [stream.read(3), stream.readline(), *stream][:2] == ["chr", "1\t0\t1\n"]


# Text


def test_a_line_of_very_many_columns(write):
    path = write("a\t" * 40_000 + "\n")
    refused(readers.read_peaks, path, "line 1: has 40001 columns")
    refused(readers.read_aliases, path, "line 1: has 40001 columns")
    refused(read_table, path, "has 40001 columns")


def test_byte_order_marks_alone(write):
    refused(readers.read_aliases, write("\ufeff\ufeff"), "is no table of aliases")
    refused(readers.read_peaks, write("\ufeff\ufeff"), "holds no peak")


def test_mixed_columns_of_a_table_give_no_warning(write, recwarn):
    text = "a\tb\n" + "1\t1\n" * 300_000 + "x\tx\n"
    assert read_table(write(text)).a.iloc[-1] == "x"
    assert not recwarn.list


def test_very_many_matrices_without_a_width_are_read_in_proportion(write):
    matrix = "MOTIF m{}\nletter-probability matrix:\n1 0 0 0\n\n"
    path = write("MEME version 4\n" + "".join(matrix.format(i) for i in range(5_000)))
    assert len(read_meme(path)) == 5_000


def test_half_a_letter_in_a_fasta(write):
    refused(read_fasta, write(b">chr1\nACGT\xc2\nAC\n"), "")


def test_rows_longer_than_the_header_of_a_table_are_not_shifted(write):
    path = write("a\tb\n1\t2\t3\n1\t2\t3\n")
    refused(read_table, path, "its rows are longer than its header")


def test_fields_that_a_table_of_a_run_cannot_have(write):
    refused(read_rows, write("a\tb\n1\t" + "x" * 200_000 + "\n"), "is no table")


@pytest.mark.parametrize("line", ["chr1", "chr1\t", "chr1\t-5", "chr1\t1\t2", "chr1\t" + "9" * 30])
def test_lines_that_are_no_chromosome_sizes(write, tmp_path, line):
    path = write(f"chr2\t5\n{line}\n")
    refused(lambda path: assign_folds(path, tmp_path / "out", 1), path, "line 2")


# JSON


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '"\\ud800"', "", "{'a': 1}"])
def test_what_is_no_json(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_letters_of_two_halves_are_json():
    assert parse_json('"\\ud83e\\uddec"') == "\U0001f9ec"


@pytest.mark.parametrize(
    "maps",
    [
        [],
        {"models": []},
        {"models": {}, "negatives": None},
        {"models": {"a": "x"}, "negatives": "gc"},
        {"models": {"a": {"method": "platt", "slope": None, "intercept": 0}}, "negatives": "gc"},
    ],
)
def test_what_is_no_calibration(write, maps):
    path = write(json.dumps(maps), "calibration.json")
    refused(calibration.read_maps, path, "calibration", "again")


@pytest.mark.parametrize(
    "fitted",
    [
        {"method": "platt", "slope": 10**400, "intercept": 0},
        {"method": "platt", "slope": float("nan"), "intercept": 0},
        {"method": ["platt"], "slope": 1, "intercept": 0},
        {"method": "isotonic", "scores": [], "probabilities": []},
        {"method": "isotonic", "scores": [0], "probabilities": [2]},
        {"method": "isotonic", "scores": [0, 1], "probabilities": [0]},
    ],
)
def test_maps_that_cannot_be_applied(write, fitted):
    path = write(json.dumps({"models": {"a": fitted}, "negatives": "gc"}))
    refused(calibration.read_maps, path, "a calibration is no map of platt or isotonic")


def test_calibrations_are_read(write):
    maps = json.loads(corpus.calibration()[0])
    assert calibration.read_maps(write(corpus.calibration()[0])) == maps


@pytest.mark.parametrize(
    "change", [{"format": True}, {"model": None}, {"metrics": {}}, {"calibration": {"method": "x"}}]
)
def test_what_is_no_card(write, change):
    card = json.loads(corpus.card()[0]) | change
    refused(cards.read_card, write(json.dumps(card), "card.json"), "again")


def test_a_card_nested_too_deeply(write):
    refused(cards.read_card, write("[" * 100_000, "card.json"), "is no JSON")


# Arrays


def described(kind, **changes):
    """A valid file with another description; None takes a key out."""
    header, body = mutations.unpack(corpus.files(kind)[0])
    info = json.loads(header["__metadata__"]["motifloom"]) | changes
    info = {key: value for key, value in info.items() if value is not None}
    header["__metadata__"]["motifloom"] = json.dumps(info)
    return mutations.pack(header, body)


def with_array(kind, name, values):
    """A valid file with other values in one array of the same size."""
    header, body = mutations.unpack(corpus.files(kind)[0])
    first, last = header[name]["data_offsets"]
    content = np.asarray(values).tobytes()
    assert len(content) == last - first
    return mutations.pack(header, body[:first] + content + body[last:])


@pytest.mark.parametrize("shape", [[0, 2**62], [0] * 70])
def test_shapes_beyond_arrays(write, shape):
    entry = {"dtype": "I64", "shape": shape, "data_offsets": [0, 0]}
    info = {"__metadata__": {"motifloom": "{}"}}
    refused(read_arrays, write(mutations.pack(info | {"x": entry}, b"")), "make it again")


@pytest.mark.parametrize("info", ["1", "[]", "null", '"x"', "[" * 100_000, "1" * 5000])
def test_descriptions_that_are_no_mapping(write, info):
    path = write(mutations.pack({"__metadata__": {"motifloom": info}}, b""))
    refused(read_arrays, path, "give a file of its results" if len(info) < 10 else "make it again")


@pytest.mark.parametrize("size", [0, 2**31, 2**63, 2**64 - 1])
def test_headers_of_false_lengths(write, size):
    path = write(struct.pack("<Q", size) + corpus.files("store")[0][8:], "x.safetensors")
    refused(read_arrays, path, "")
    refused(models.load, path, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"chromosomes": None}, {"chromosomes": ["chr1", "chr1", "chrM"]},
        {"chromosomes": [1, 2, 3]},
        {"lengths": [5000, 4000]}, {"lengths": [5000, 4000, "600"]}, {"lengths": [9600, 0, 0]},
        {"lengths": [5000, 4000, 10**30]}, {"lengths": [10_000, -1000, 600]}, {"lengths": "x"},
    ],
)  # fmt: skip
def test_genomes_whose_description_is_damaged(write, changes):
    refused(Genome.open, write(described("genome", **changes), "g.safetensors"), "genome")


def test_codes_beyond_4_are_refused_where_they_are_read(write):
    codes = np.zeros(9600, np.uint8)
    codes[4000] = 77
    genome = Genome.open(write(with_array("genome", "codes", codes), "g.safetensors"))
    assert len(genome.codes("chr2")) == 4000
    with pytest.raises(InputError, match="the encoded genome is damaged"):
        genome.codes("chr1")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("codes", np.full(100, 9, np.uint8)),
        ("split", np.full(5, 3, np.uint8)),
        ("kind", np.full(5, 2, np.uint8)),
        ("parent", np.full(5, 5)),
        ("parent", np.full(5, -1)),
        ("chrom", np.full(5, 2, np.int32)),
        ("chrom", np.full(5, -2, np.int32)),
    ],
)
def test_stores_whose_rows_point_nowhere(write, name, values):
    path = write(with_array("store", name, values))
    refused(SequenceStore.open, path, f"{name} lie outside")


@pytest.mark.parametrize(
    "changes", [{"targets": ["A", "B"]}, {"kinds": None}, {"chromosomes": 3}, {"labels": None}]
)
def test_stores_whose_description_is_damaged(write, changes):
    refused(SequenceStore.open, write(described("store", **changes)), "")


# The next four crashed the process: compiled code follows these numbers.
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tracks", np.full(3, 2**30, np.int32)),
        ("tracks", np.full(3, -1, np.int32)),
        ("offsets", np.array([0, 2**60, 2, 3])),
        ("offsets", np.array([0, -5, 2, 3])),
        ("offsets", np.array([0, 1, 2, 9])),
        ("chrom", np.full(3, 3, np.int32)),
        ("start", np.full(3, 2**62)),
        ("start", np.full(3, -(2**62))),
        ("kind", np.full(3, 2, np.uint8)),
    ],
)
def test_bins_that_point_nowhere(write, tmp_path, name, values):
    (tmp_path / "g.safetensors").write_bytes(corpus.files("genome")[0])
    path = write(with_array("bins", name, values))
    refused(lambda path: BinStore.open(path, tmp_path / "g.safetensors"), path, "is damaged")


@pytest.mark.parametrize(
    "changes", [{"context": 10**12}, {"context": "60"}, {"targets": None}, {"bin": None}]
)
def test_bins_whose_description_is_damaged(write, tmp_path, changes):
    (tmp_path / "g.safetensors").write_bytes(corpus.files("genome")[0])
    path = write(described("bins", **changes))
    refused(lambda path: BinStore.open(path, tmp_path / "g.safetensors"), path, "no store of bins")


def of_network(number=0, **changes):
    """Weights of a network with other hyperparameters in the description."""
    header, body = mutations.unpack(corpus.files("weights")[number])
    info = json.loads(header["__metadata__"]["motifloom"])
    info["hyperparameters"] |= changes
    header["__metadata__"]["motifloom"] = json.dumps(info)
    return mutations.pack(header, body)


@pytest.mark.parametrize("load", [models.load, inference.load])
@pytest.mark.parametrize(
    "content",
    [
        # Would be built before they are compared: 40 TB, and a loop without end.
        lambda: of_network(n_kernels=10**6, kernel_size=10**6),
        lambda: of_network(2, lstm_units=10**7),
        lambda: of_network(3, blocks=10**7),
        lambda: described("weights", members=10**9),
        lambda: described("weights", members=0),
        lambda: described("weights", targets=["A", "B"]),
        lambda: described("weights", target_scale="1"),
        lambda: described("weights", strands="both"),
        lambda: described("weights", best_member=2),
        lambda: of_network(length=None),
        lambda: of_network(2, pool_size=0),
        lambda: of_network(dropout=-1),
        lambda: of_network(n_kernels=[3]),
        lambda: of_network(both_strands="max"),
        lambda: of_network(3, pool_size=True),
        lambda: of_network(3, stride=0),
        lambda: of_network(3, centre="x"),
        lambda: of_network(3, dilation_growth=10**6),
        lambda: described("weights", strands=None),
    ],
)
def test_weights_whose_description_is_damaged(write, load, content):
    refused(load, write(content(), "w.safetensors"), "weights and description disagree")


def test_weights_of_another_type_of_numbers(write):
    data = corpus.files("weights")[0].replace(b'"F32"', b'"I32"')
    refused(models.load, write(data, "w.safetensors"), "type of numbers")


class Bomb:
    """Would leave a file behind where it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pkl"])
def test_pickles_are_refused_unread(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_bytes(pickle.dumps(Bomb()))
    torch.save({"x": Bomb()}, tmp_path / "saved")
    for made in ("plain", "saved"):
        path = (tmp_path / made).rename(tmp_path / name)
        for load in (models.load, inference.load, read_arrays):
            refused(load, path, "is damaged or no safetensors file")
        assert Checkpoint(path, "d", 1, Signals()).load() is None
    assert not (tmp_path / "unpickled").exists()


def test_no_source_can_run_what_it_reads_or_start_a_shell():
    words = r"\bpickle\b|joblib|torch\.load|allow_pickle|np\.load\(|shell=True|os\.system|os\.popen"
    words += r"|(?<![.\w])(?:eval|exec)\(|yaml\.load\(|marshal|shelve"
    sources = [*LIBRARY.rglob("*.py"), *(corpus.REPOSITORY / "rules").glob("*.smk")]
    found = [path.name for path in sources if re.search(words, path.read_text(encoding="utf-8"))]
    assert found == []
    shells = [path.name for path in sources if re.search(r"^\s+shell:", path.read_text(), re.M)]
    assert shells == []


@pytest.mark.parametrize("state", [[], 1, "x", None])
def test_checkpoints_of_another_state(write, state):
    data = described("checkpoint", state=state)
    assert Checkpoint(write(data), "d", 1, Signals()).load() is None


def test_a_checkpoint_that_is_a_pipe_or_a_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert Checkpoint(tmp_path / "pipe", "d", 1, Signals()).load() is None
    assert Checkpoint(tmp_path, "d", 1, Signals()).load() is None


@pytest.mark.parametrize("results", [None, [], {}, {"sha256": 1}])
def test_archives_whose_provenance_is_damaged(write, results):
    data = corpus.archives()[0]
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    files["results/provenance.json"] = json.dumps({"format": 1, "results": results}).encode()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    path = write(changed.getvalue())
    if results == {"sha256": 1}:
        assert ("changed", "results/provenance.json") in check_archive(path)[0]
    else:
        refused(check_archive, path, "is damaged or no frozen run")


def test_archives_that_unpack_far_beyond_their_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", b"\0" * (70 << 20))
    refused(check_archive, tmp_path / "a.zip", "unpacks to more than")


# Config and tables


@pytest.fixture
def config(tmp_path):
    (tmp_path / "sheet.tsv").write_bytes(corpus.sheets()[0])
    return {"name": "mine", "datasets": str(tmp_path / "sheet.tsv"), "genome": {"fasta": "g.fa"}}


def is_refused(config, *says):
    from snakemake.exceptions import WorkflowError

    with pytest.raises(WorkflowError) as caught:
        checked(config)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 1000
    for words in says:
        assert words in message


NAMES = (
    "", ".", "..", "/", "/etc", "../x", "a/b", "a\\b", "-rf", "a\n", "a\nb", "a\0", " a", "a b",
    ".a", "a" * 101, "а", "ａ", "é", "a\u202e", "a\u200b", "$(id)", "`id`", "a;b", "a'b", "~",
    "{a}", "*",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_could_leave_the_folder_of_results(config, name):
    is_refused(config | {"name": name}, "config: name")
    is_refused(config | {"score": {name: "a.fa"}}, "config: score")


@pytest.mark.parametrize("name", [*NAMES, "multitask", "Multitask", "MULTITASK"])
def test_datasets_that_could_leave_the_folder_of_results(config, name):
    from pandas import DataFrame

    columns = corpus.SHEET.split()
    row = [name, "A", "sequences", "a", "", "dna", "binary", ""]
    DataFrame([row], columns=columns).to_csv(config["datasets"], sep="\t", index=False)
    is_refused(config, "sheet.tsv")


def test_names_that_stay(config):
    assert checked(config | {"name": "CON", "score": {"a.b-c_1": "x"}})["RESULTS"] == "results/CON"
    long = "a" * 100
    assert checked(config | {"name": long})["RESULTS"] == f"results/{long}"


@pytest.mark.parametrize("score", [{"a": "x", "A": "y"}, {1: "x"}, {None: "x"}, {"a": "x{y}.fa"}])
def test_names_to_score_that_would_collide_or_are_no_text(config, score):
    is_refused(config | {"score": score}, "score")


def test_huge_numbers_in_a_config(config):
    is_refused(config | {"cross_validation": {"folds": 10**9}}, "folds: 1000000000 is greater")
    is_refused(config | {"seed": 10**400}, "config: seed: 1000", "[...]", "is greater than")


def test_anchors_inside_each_other(config):
    nested = ["x", "x"]
    for _ in range(40):
        nested = [nested, nested]
    is_refused(config | {"motifs": nested}, "more than a million values")
    nested.append(nested)
    is_refused(config | {"motifs": nested}, "more than a million values")


def test_a_list_instead_of_a_text_is_quoted_briefly(config):
    is_refused(config | {"name": ["x" * 50] * 500}, "config: name", "[...]", "is not of type")


@pytest.mark.parametrize(
    "path", ["/a", "..", "../a", "a/../b", "a/..", "./a", "a//b", "a/", "a\\b", "a{b}", "."]
)
def test_downloads_stay_in_their_folder(config, tmp_path, path):
    (tmp_path / "d.tsv").write_text(f"path\turl\tsha256\n{path}\thttp://x/y\t\n")
    is_refused(config | {"downloads": str(tmp_path / "d.tsv")}, "d.tsv, line 2: path", "stays")


def test_tables_without_a_line(config, tmp_path):
    (tmp_path / "d.tsv").write_text("path\turl\tsha256\n")
    assert checked(config | {"downloads": str(tmp_path / "d.tsv")})["DOWNLOADS"] == {}


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.tsv.zip", "a.tsv.xz", "a.tsv.bz2"])
def test_a_tables_name_says_nothing_of_its_wrapping(config, tmp_path, name):
    (tmp_path / name).write_bytes(corpus.sheets()[0])
    assert list(checked(config | {"datasets": str(tmp_path / name)})["DATASETS"]) == ["A", "B-2"]


def test_what_is_no_text_table(config, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "packed").write_bytes(gzip.compress(corpus.sheets()[0]))
    for name in ("folder", "packed", "a\0b"):
        is_refused(config | {"datasets": str(tmp_path / name)})
    is_refused(config | {"datasets": "https://localhost/a.tsv"}, "no such file")


def test_lines_longer_than_the_header(config):
    path = Path(config["datasets"])
    path.write_text(corpus.SHEET + "A\tA\tpeaks\ta.bed\t\tdna\tbinary\t\tmore\n")
    is_refused(config, "lines have more columns than the header")


def test_a_rows_columns_are_quoted_briefly(config):
    path = Path(config["datasets"])
    path.write_text(corpus.SHEET.strip() + "\t".join([""] * 900) + "\nA\n")
    is_refused(config, "sheet.tsv, line 2", "[...]")
    path.write_text("\t" * 14_000 + "\nA\n")
    is_refused(config, "sheet.tsv", "more than a thousand columns")


def test_settings_whose_names_are_no_text(config):
    is_refused(config | {"models": {"settings": {1: {}, "x": {}}}}, "1 is no preset in use")
    with pytest.raises(InputError, match="has no setting 1"):
        presets.choose(presets.DEEPBIND, "deepbind", {1: 1, "x": 2})
