"""Jobs: where output goes, and how they end."""

import logging
import os
import sys

import pytest

from motifloom.files import InputError
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


def test_output_goes_to_the_log(log, capsys):
    with job(str(log), 1):
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
    with job(str(log), 1):
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    print("after")
    assert capsys.readouterr().out == "after\n"


def test_threads_are_set(log):
    with job(str(log), 3):
        for name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
            assert os.environ[f"{name}_NUM_THREADS"] == "3"


def test_bad_input_ends_with_one_sentence(log, capsys):
    with pytest.raises(SystemExit) as ended, job(str(log), 1):
        print("before")
        raise InputError("peaks.bed, line 3: the end is no number; mend it")
    assert ended.value.code == 1
    sentence = "error: peaks.bed, line 3: the end is no number; mend it\n"
    assert log.read_text() == "before\n" + sentence
    assert capsys.readouterr() == ("", sentence)


def test_other_errors_leave_their_traceback_in_the_log(log, capsys):
    with pytest.raises(SystemExit) as ended, job(str(log), 1):
        {}["no such key"]
    assert ended.value.code == 1
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "test_jobs.py" in text
    assert "KeyError: 'no such key'" in text
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: KeyError: 'no such key' (see {log})\n"


def test_an_earlier_log_is_replaced(log):
    for text in ("first", "second"):
        with job(str(log), 1):
            print(text)
    assert log.read_text() == "second\n"
