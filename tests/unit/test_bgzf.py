import gzip

import numpy as np
import pysam
import pytest

from motifloom import bgzf


def write(path, parts, threads=2):
    with bgzf.writing(path, threads) as writer:
        for part in parts:
            writer.write(part)
    return path.read_bytes()


def random_bytes(n, letters=256):
    return np.random.default_rng(n).integers(letters, size=n, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("size", [0, 1, 65279, 65280, 65281, 3_000_000])
@pytest.mark.parametrize("letters", [2, 256])
def test_what_is_written_is_read_back(tmp_path, size, letters):
    path, content = tmp_path / "a.gz", random_bytes(size, letters)
    write(path, [content])
    assert gzip.decompress(path.read_bytes()) == content
    with pysam.BGZFile(str(path)) as stream:
        assert stream.read(size + 1) == content
    assert bgzf.is_blocked(path)
    assert bgzf.is_whole(path)


def test_parts_and_threads_do_not_matter(tmp_path):
    content = random_bytes(2_000_000, 4)
    parts = [content[first : first + 77_777] for first in range(0, len(content), 77_777)]
    whole = write(tmp_path / "a.gz", [content], threads=1)
    assert whole == write(tmp_path / "b.gz", parts, threads=3)


def test_a_file_cut_between_blocks_is_told_from_a_whole_one(tmp_path):
    path = tmp_path / "a.gz"
    content = write(path, [b"text"])
    path.write_bytes(content[: -len(bgzf.END)])
    assert gzip.decompress(path.read_bytes()) == b"text"
    assert not bgzf.is_whole(path)


def test_plain_gzip_has_no_blocks(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"text"))
    assert not bgzf.is_blocked(path)
    assert not bgzf.is_whole(path)
