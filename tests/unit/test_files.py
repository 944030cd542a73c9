import errno
import gzip
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from motifloom.files import (
    InputError,
    atomic,
    check_readable,
    full_disk_noticed,
    is_gzip,
    open_text,
    read_table,
    whole_folder,
    write_table,
    write_text,
)


def read(path):
    with open_text(path) as stream:
        return stream.read()


def test_is_gzip_by_content(tmp_path):
    plain, packed = tmp_path / "plain.gz", tmp_path / "packed.txt"
    plain.write_bytes(b"a")
    packed.write_bytes(gzip.compress(b"a"))
    assert not is_gzip(plain)
    assert is_gzip(packed)


def test_check_readable(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        check_readable(tmp_path / "absent.txt")
    with pytest.raises(InputError, match="is a folder"):
        check_readable(tmp_path)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match="file is empty"):
        check_readable(tmp_path / "empty.txt")
    (tmp_path / "full.txt").write_text("a")
    check_readable(str(tmp_path / "full.txt"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_check_readable_permissions(tmp_path):
    path = tmp_path / "locked.txt"
    path.write_text("a")
    path.chmod(0)
    with pytest.raises(InputError, match="permissions"):
        check_readable(path)


@pytest.mark.parametrize("name", ["a.txt", "two words.txt", "a (1).txt", 'it\'s "so".txt'])
def test_open_text_plain_and_compressed_with_any_line_ending(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"a\r\nb\rc\n")
    assert read(path) == "a\nb\nc\n"
    path.write_bytes(gzip.compress(b"a\r\n") + gzip.compress(b"b\n"))
    assert read(path) == "a\nb\n"


def test_open_text_refuses_damaged_files(tmp_path):
    path = tmp_path / "a.gz"
    content = gzip.compress(np.random.default_rng(0).bytes(5000).hex().encode())
    for cut in (12, 1000, len(content) - 4):
        path.write_bytes(content[:cut])
        with pytest.raises(InputError, match="damaged or cut short"):
            read(path)
    path.write_bytes(content[:500] + b"\x00" * 500 + content[1000:])
    with pytest.raises(InputError, match=r"a\.gz"):
        read(path)
    path.write_bytes(content + b"garbage")
    with pytest.raises(InputError, match="damaged or cut short"):
        read(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_open_text_refuses_binary_files(tmp_path, pack):
    path = tmp_path / "a.bin"
    path.write_bytes(pack(b"\x00\xff\xfe\x80"))
    with pytest.raises(InputError, match="not a text file"):
        read(path)


def test_atomic_makes_folders_and_leaves_one_whole_file(tmp_path):
    path = tmp_path / "new" / "deep" / "plot.svg"
    with atomic(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".svg"
        temporary.write_text("done")
        assert not path.exists()
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def test_atomic_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_block_that_writes_nothing_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_write_text_is_utf8_with_unix_line_endings(tmp_path):
    write_text("é\nb\n", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\nb\n"


def test_write_table_format(tmp_path):
    frame = pd.DataFrame({"tf": ["a", None], "n": [1, 2], "x": [0.123456789, np.nan]})
    write_table(frame, tmp_path / "a.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == b"tf\tn\tx\na\t1\t0.123457\nNA\t2\tNA\n"


def test_read_table_gives_back_what_was_written(tmp_path):
    frame = pd.DataFrame({"tf": ["001", ""], "n": [1, 2], "x": [0.5, np.nan]})
    write_table(frame, tmp_path / "a.tsv")
    again = read_table(tmp_path / "a.tsv", text_columns=("tf", "absent"))
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)
    assert again.tf.tolist() == ["001", ""]


def test_read_table_refuses_what_is_no_table(tmp_path):
    path = tmp_path / "a.tsv"
    with pytest.raises(InputError, match="no such file"):
        read_table(path)
    for content in (b"a\tb\n1\t2\n1\t2\t3\n", b"\n\n", b"a\n\xff\xfe\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a tab-separated table"):
            read_table(path)


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    left = tmp_path / ".a.99999.partial.tsv"
    other = tmp_path / ".ab.99999.partial.tsv"
    for path in (left, other):
        path.write_text("half")
    write_text("whole", tmp_path / "a.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "a.tsv"]


def test_a_writer_leaves_alone_what_another_file_has_under_way(tmp_path):
    with atomic(tmp_path / "SPI1.rep-2.tsv") as temporary:
        temporary.write_text("long")
        write_text("short", tmp_path / "SPI1.tsv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SPI1.rep-2.tsv", "SPI1.tsv"]


def test_a_folder_is_whole_or_as_it_was(tmp_path):
    folder = tmp_path / "logos"
    (tmp_path / ".logos.99999.partial").mkdir()
    with whole_folder(folder) as temporary:
        (temporary / "a.svg").write_text("one")
    with pytest.raises(KeyError), whole_folder(folder) as temporary:
        (temporary / "b.svg").write_text("two")
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["logos"]
    assert [path.name for path in folder.iterdir()] == ["a.svg"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space is left on the disk of"),
        (errno.EDQUOT, "no space is left on the disk of"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_a_disk_that_takes_no_more_is_said_in_a_sentence(tmp_path, number, message):
    path = tmp_path / "a.tsv"
    with pytest.raises(InputError, match=message), atomic(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, "told by the disk")
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_does_not_say_why_fails_for_want_of_room(tmp_path, monkeypatch):
    def write():
        with atomic(tmp_path / "a.gz") as temporary, full_disk_noticed(temporary):
            temporary.write_bytes(b"half")
            raise OSError("Error closing file")

    with pytest.raises(OSError, match="closing"):
        write()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(InputError, match="no space is left"):
        write()
    assert list(tmp_path.iterdir()) == []
