"""Jobs: where output goes, and how they end."""

import logging
import os
import re
import signal
import sys
from types import SimpleNamespace

import pytest

import motifloom
from motifloom.files import InputError, atomic
from motifloom.jobs import job


@pytest.fixture(autouse=True)
def process_state(monkeypatch):
    """Put environment and logging back as they were."""
    for name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        monkeypatch.setenv(f"{name}_NUM_THREADS", "7")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "rule" / "dataset.log"


def given(log, threads=1, rule="train", wildcards=(), inputs=(), outputs=()):
    """What a script finds as `snakemake`."""
    return SimpleNamespace(
        log=[str(log)],
        threads=threads,
        rule=rule,
        wildcards=dict(wildcards),
        input=list(map(str, inputs)),
        output=list(map(str, outputs)),
    )


def messages(log):
    """The lines of a log without their times."""
    return [line.split(" ", 2)[-1] for line in log.read_text().splitlines()]


def test_output_goes_to_the_log(log, capsys):
    with job(given(log)):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        logging.getLogger("motifloom.any").info("a message")
        logging.getLogger("motifloom.any").debug("a detail")
    text = log.read_text()
    assert "to stdout\n" in text
    assert "to stderr\n" in text
    assert " a message\n" in text
    assert "a detail" not in text
    assert capsys.readouterr() == ("", "")


def test_the_terminal_comes_back(log, capsys):
    before = sys.stdout, sys.stderr
    with job(given(log)):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    print("after")
    assert capsys.readouterr().out == "after\n"


def test_threads_are_set(log):
    with job(given(log, 3)):
        for name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
            assert os.environ[f"{name}_NUM_THREADS"] == "3"


def test_bad_input_ends_with_one_sentence(log, capsys):
    with pytest.raises(SystemExit) as ended, job(given(log)):
        print("before")
        raise InputError("peaks.bed, line 3: the end is no number; mend it")
    assert ended.value.code == 1
    sentence = "error: peaks.bed, line 3: the end is no number; mend it\n"
    assert log.read_text().endswith("before\n" + sentence)
    assert capsys.readouterr() == ("", sentence)


def test_other_errors_leave_their_traceback_in_the_log(log, capsys):
    with pytest.raises(SystemExit) as ended, job(given(log)):
        {}["no such key"]
    assert ended.value.code == 1
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "test_jobs.py" in text
    assert "KeyError: 'no such key'" in text
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: KeyError: 'no such key' (see {log})\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_job_without_half_a_file(log, tmp_path, capsys, number):
    # A shell's background processes ignore SIGINT, and so would their jobs.
    former = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    inherited = signal.signal(number, former)
    with pytest.raises(SystemExit) as ended, job(given(log)), atomic(tmp_path / "a.tsv") as half:
        half.write_text("half")
        signal.raise_signal(number)
    assert ended.value.code == 128 + number
    assert signal.signal(number, inherited) == former
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert log.read_text().endswith(f"stopped by {number.name}; run again\n")
    assert capsys.readouterr() == ("", f"stopped by {number.name}; run again\n")


def test_a_signal_that_is_ignored_stays_so(log):
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with job(given(log)):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


def test_an_earlier_log_is_replaced(log):
    for text in ("first", "second"):
        with job(given(log)):
            print(text)
    text = log.read_text()
    assert "second\n" in text and "first" not in text


def test_a_log_tells_what_went_in_and_what_came_out(log, tmp_path):
    peaks, table, folder = tmp_path / "a.bed", tmp_path / "qc.tsv", tmp_path / "logos"
    peaks.write_text("chr1\t1\t2\n")
    wildcards = {"preset": "deepbind", "dataset": "CTCF"}
    told = given(log, 2, "train", wildcards, [peaks], [table, folder, tmp_path / "none"])
    with job(told):
        table.write_text("stage\tcount\nread\t1\nkept\t1\n")
        folder.mkdir()
        (folder / "k1.svg").touch()
    first, versions, read, *made, last = messages(log)
    assert first == "train, preset deepbind, dataset CTCF, threads 2"
    assert versions.startswith(f"motifloom {motifloom.__version__}, python 3.")
    assert ", torch 2." in versions
    assert read == f"input {peaks}: 9 bytes"
    assert made == [
        f"output {table}: 2 rows, 26 bytes",
        f"output {folder}: 1 files",
        f"output {tmp_path / 'none'}: absent",
    ]
    assert re.fullmatch(r"done in \d+\.\d s, at most \d+ MB of memory", last)


def test_of_many_files_some_are_listed(log, tmp_path):
    with job(given(log, inputs=[tmp_path / str(number) for number in range(1000)])):
        pass
    assert len(messages(log)) == 2 + 8 + 2
    assert messages(log)[10] == "input: 992 more files"


def test_no_core_is_one_thread(log):
    with job(given(log, 0)):
        assert os.environ["OMP_NUM_THREADS"] == "1"
