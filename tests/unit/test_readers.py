import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifloom.files import InputError
from motifloom.readers import (
    read_aliases,
    read_intervals,
    read_peaks,
    read_sequences,
    rename_chromosomes,
    to_codes,
)
from motifloom.sequences import decode

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def write(tmp_path):
    """Write a text (or bytes) under a name in a temporary folder."""

    def _write(content, name="input.bed"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def refused(function, path, *args, line=None, says=()):
    """Check that `function` refuses `path`, naming the file, the line and what `says` lists."""
    with pytest.raises(InputError) as caught:
        function(path, *args)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: " if line else f"{path}: ")
    assert "\n" not in message
    for part in (says,) if isinstance(says, str) else says:
        assert part in message


# Peaks: what is accepted


def test_bed3(write):
    peaks = read_peaks(write("chr1\t10\t20\nchr2\t5\t10\n"))
    assert list(peaks.columns) == ["chrom", "start", "end", "summit", "score", "line"]
    assert peaks.chrom.tolist() == ["chr1", "chr2"]
    assert peaks.start.tolist() == [10, 5]
    assert peaks.end.tolist() == [20, 10]
    assert peaks.summit.tolist() == [15, 7]
    assert peaks.score.isna().all()
    assert peaks.line.tolist() == [1, 2]
    assert [peaks[name].dtype for name in ("start", "end", "summit", "line")] == [np.int64] * 4
    assert peaks.score.dtype == np.float64


def test_bed6_score_and_missing_score(write):
    peaks = read_peaks(write("chr1\t10\t11\ta\t84\t.\nchr1\t12\t13\tb\t.\t+\n"))
    np.testing.assert_array_equal(peaks.score, [84, np.nan])
    assert peaks.summit.tolist() == [10, 12]


def test_narrowpeak_summit_and_signal(write):
    peaks = read_peaks(
        write(
            "chr1\t100\t200\ta\t900\t.\t7.5\t3\t2\t30\n"
            "chr1\t300\t400\tb\t800\t.\t.\t3\t2\t-1\n"
            "chr1\t500\t600\tc\t700\t.\t1e2\t3\t2\t0\n"
            "chr1\t700\t800\td\t600\t.\t4\t3\t2\t99\n"
        )
    )
    assert peaks.summit.tolist() == [130, 350, 500, 799]
    np.testing.assert_array_equal(peaks.score, [7.5, np.nan, 100, 4])


def test_broadpeak_signal_and_midpoint(write):
    peaks = read_peaks(write("chr1\t100\t200\ta\t900\t.\t7.5\t3\t2\n"))
    assert peaks.summit.tolist() == [150]
    assert peaks.score.tolist() == [7.5]


def test_bed9_with_colours_is_no_broadpeak(write):
    peaks = read_peaks(write("chr1\t100\t200\ta\t900\t.\t100\t200\t255,0,0\n"))
    assert peaks.score.tolist() == [900]


def test_bed12_score_is_column_5(write):
    peaks = read_peaks(write("chr1\t100\t200\ta\t5\t+\t100\t200\t0\t1\t100\t0\n"))
    assert peaks.score.tolist() == [5]
    assert peaks.summit.tolist() == [150]


def test_comments_directives_header_and_blank_lines_keep_line_numbers(write):
    peaks = read_peaks(
        write(
            "# made by hand\n\nbrowser position chr1:1-100\ntrack name=x\n"
            'track type="bed"\nchrom\tchromStart\tchromEnd\nchr1\t1\t2\n \t \n  # more\nchr1\t3\t4'
        )
    )
    assert peaks.start.tolist() == [1, 3]
    assert peaks.line.tolist() == [7, 10]


@pytest.mark.parametrize(
    "header",
    [
        "chrom start end",
        "chr\tstart\tend",
        "Chromosome\tStart\tStop",
        "#chrom\tstart\tend",
        '"chr"\t"start"\t"end"',
        "chr\tpeak start\tend\tname",
        "track",
    ],
)
def test_header_lines(write, header):
    assert read_peaks(write(f"{header}\nchr1\t1\t2\n")).line.tolist() == [2]


def test_spaces_separate_where_there_is_no_tab(write):
    peaks = read_peaks(write("track name=a b c\nchrom start end\n chr1  10 20 \nchr1 30   40\n"))
    assert peaks.start.tolist() == [10, 30]
    assert peaks.line.tolist() == [3, 4]


def test_crlf_and_byte_order_mark(write):
    peaks = read_peaks(write(b"\xef\xbb\xbfchr1\t10\t20\ta\t1\r\n\r\nchr2\t5\t10\tb\t2\r\n"))
    assert peaks.chrom.tolist() == ["chr1", "chr2"]
    assert peaks.score.tolist() == [1, 2]
    assert peaks.line.tolist() == [1, 3]


def test_gzip_and_bgzip_by_content(write):
    members = gzip.compress(b"chr1\t10\t20\n") + gzip.compress(b"chr1\t30\t40\n")
    for name in ("a.bed.gz", "a.bed.bgz", "a.bed"):
        assert read_peaks(write(members, name)).start.tolist() == [10, 30]


@pytest.mark.parametrize("name", ["two words.bed", "a (sc-8821).bed", 'it\'s "so".bed'])
def test_odd_paths(write, name):
    path = write("chr1\t10\t20\nchr1\tx\t40\n", name)
    refused(read_peaks, path, line=2, says="'x'")
    assert len(read_peaks(write("chr1\t10\t20\n", name))) == 1


def test_numeric_and_special_names_stay_text(write):
    peaks = read_peaks(write('1\t1\t2\nNA\t1\t2\n01\t1\t2\n"q\t1\t2\n'))
    assert peaks.chrom.tolist() == ["1", "NA", "01", '"q']


# Peaks: what is refused


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("chr1\t10\n", 1, "has 2 columns"),
        ("\nchr1\n", 2, "has 1 column;"),
        ("chr1 10\t20\n", 1, "at least three"),
        ("chr1\t1\t2\nchr1\tfoo\t20\n", 2, ("start (column 2)", "'foo'")),
        ("chr1\tfoo\tbar\n", 1, ("start (column 2)", "'foo'")),
        ("chr1\t1\t2\nchr1\t1\t\n", 2, ("end (column 3)", "''")),
        ("chr1\t1.0\t2\n", 1, "no integer"),
        ("chr1\t1\t1e5\n", 1, "'1e5'"),
        ("chr1\t1\t99999999999999999999\n", 1, "no integer"),
        ("chr1\t1,000\t2,000\n", 1, "no integer"),
        ("#c\nchr1\t1\t2\nchr1\t20\t20\n", 3, ("start 20", "end 20")),
        ("chr1\t20\t10\n", 1, ("start 20", "end 10")),
        ("chr1\t1\t2\nchr1\t-5\t10\n", 2, ("-5", "negative")),
        ("chr1\t1\t2\n\nchr1\t1\t2\tx\n", 3, ("has 4 columns", "line 1 has 3")),
        ("chr1\t1\t2\tx\nchr1\t1\t2\n", 2, ("has 3 columns", "line 1 has 4")),
        ("chr1\t1\t2\tx\t5\nchr1\t1\t2\tx\t+\n", 2, ("score (column 5)", "'+'")),
        ("chr1\t1\t2\tx\tnan\n", 1, "finite"),
        ("chr1\t1\t9\ta\t1\t.\tinf\t1\t1\t2\n", 1, "signalValue (column 7)"),
        ("chr1\t1\t9\ta\t1\t.\t5\t1\t1\t8\n", 1, ("summit offset 8", "8 bp")),
        ("chr1\t1\t9\ta\t1\t.\t5\t1\t1\tx\n", 1, ("column 10", "'x'")),
    ],
)
def test_bad_peaks(write, text, line, says):
    refused(read_peaks, write(text), line=line, says=says)


@pytest.mark.parametrize("text", ["# nothing\n", "\n\n", "track name=x\nchrom\tstart\tend\n"])
def test_no_peaks(write, text):
    refused(read_peaks, write(text), says="no peak")


@pytest.mark.parametrize("reader", [read_peaks, read_intervals, read_aliases])
def test_missing_folder_truncated_and_binary_files(write, tmp_path, reader):
    refused(reader, tmp_path / "absent.bed", says="no such file")
    refused(reader, tmp_path, says="folder")
    rows = "".join(f"chr1\t{row}\t{row + 1}\n" for row in range(1000)).encode()
    refused(reader, write(gzip.compress(rows)[:-20], "cut.bed.gz"), says="cut short")
    refused(reader, write(b"\x00\xff\xfe\x80", "binary.bed"), says="not a text file")


def test_empty_file(write):
    refused(read_peaks, write(""), says="empty")
    refused(read_peaks, write(gzip.compress(b"", mtime=0)), says="no peak")


# Intervals


def test_intervals(write):
    intervals = read_intervals(write("#x\nchr1\t1\t801\tartefact\nchr2\t5\t6\tother\n"))
    assert list(intervals.columns) == ["chrom", "start", "end"]
    assert intervals.values.tolist() == [["chr1", 1, 801], ["chr2", 5, 6]]


@pytest.mark.parametrize("content", [b"", b"# none\n", b"\n", gzip.compress(b"", mtime=0)])
def test_no_interval_is_an_empty_frame(write, content):
    intervals = read_intervals(write(content))
    full = read_intervals(write("chr1\t1\t2\n"))
    assert len(intervals) == 0
    assert intervals.dtypes.to_dict() == full.dtypes.to_dict()
    kept, dropped = rename_chromosomes(intervals, {"chr1": 10}, {}, "x.bed")
    assert (len(kept), dropped) == (0, 0)
    assert kept.dtypes.to_dict() == full.dtypes.to_dict()


def test_bad_interval(write):
    refused(read_intervals, write("chr1\t5\t6\nchr1\t5\t5\n"), line=2, says="not before")
    refused(read_intervals, write("chr1\t5\n"), line=1, says="at least three")


# Aliases


def test_aliases(write):
    path = write("name\talias\n# comment\nchrI\t1\nchrI\tI\nchrI\t1\nchrM\tMT\n", "aliases.tsv")
    assert read_aliases(path) == {"1": "chrI", "I": "chrI", "MT": "chrM"}


def test_aliases_in_several_columns(write):
    path = write("name\talias\talias\nchrI\t1\tI\nchrM\tMT\t\n", "aliases.tsv")
    assert read_aliases(path) == {"1": "chrI", "I": "chrI", "MT": "chrM"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("chrI\t1\n", 1, "header"),
        ("alias\tname\n1\tchrI\n", 1, "header"),
        ("name\nchrI\n", 1, "header"),
        ("# only\n", None, "header"),
        ("name\talias\nchrI\t1\nchrII\t1\n", 3, ("'1'", "'chrII'", "'chrI'")),
        ("name\talias\nchrI\t\n", 2, "lacks"),
        ("name\talias\n\t1\n", 2, "lacks"),
        ("name\talias\nchrI\n", 2, "1 column"),
    ],
)
def test_bad_aliases(write, text, line, says):
    refused(read_aliases, write(text, "aliases.tsv"), line=line, says=says)


def test_header_alone_is_no_alias(write):
    assert read_aliases(write("name\talias\n", "aliases.tsv")) == {}


# Chromosome names


def renamed(names, genome, aliases=None):
    frame = pd.DataFrame({"chrom": names, "start": 0, "end": 1, "line": range(11, 11 + len(names))})
    kept, dropped = rename_chromosomes(
        frame, dict.fromkeys(genome, 100), aliases or {}, "my peaks.bed"
    )
    return kept.chrom.tolist(), dropped


def test_unknown_chromosomes_are_dropped_and_counted():
    assert renamed(["chr1", "chrUn_7", "chr2", "chrUn_7"], ["chr1", "chr2"]) == (
        ["chr1", "chr2"],
        2,
    )


def test_rows_keep_their_lines_and_the_input_stays():
    frame = pd.DataFrame({"chrom": ["a", "b", "1"], "start": 0, "end": 1, "line": [3, 4, 5]})
    kept, dropped = rename_chromosomes(frame, {"b": 5, "c": 5}, {"1": "c"}, "x")
    assert kept.line.tolist() == [4, 5]
    assert kept.chrom.tolist() == ["b", "c"]
    assert kept.index.tolist() == [0, 1]
    assert dropped == 1
    assert frame.chrom.tolist() == ["a", "b", "1"]


def test_aliases_rename_only_what_the_genome_lacks():
    assert renamed(["1", "chr2"], ["chr1", "chr2"], {"1": "chr1", "chr2": "chr1"}) == (
        ["chr1", "chr2"],
        0,
    )


def test_alias_settles_other_spellings():
    aliases = {"chr1": "chrI", "MT": "chrM"}
    assert renamed(["chr1", "MT"], ["chrI", "chrM"], aliases) == (["chrI", "chrM"], 0)


@pytest.mark.parametrize(
    ("name", "genome", "suggestion"),
    [
        ("1", ["chr1", "other"], "chr1"),
        ("chr1", ["1", "other"], "1"),
        ("Chr1", ["chr1", "other"], "chr1"),
        ("CHRX", ["chrX", "other"], "chrX"),
        ("MT", ["chrM", "other"], "chrM"),
        ("Mito", ["chrM", "other"], "chrM"),
        ("chrM", ["MT", "other"], "MT"),
        ("chrM", ["Mito", "other"], "Mito"),
        ("chr1", ["chrI", "chrII", "other"], "chrI"),
        ("chr16", ["chrII", "chrXVI", "other"], "chrXVI"),
        ("4", ["chrIV", "other"], "chrIV"),
        ("chrIV", ["chr4", "other"], "chr4"),
        ("IX", ["9", "other"], "9"),
        ("chr01", ["chr1", "other"], "chr1"),
    ],
)
def test_other_spellings_are_refused(name, genome, suggestion):
    with pytest.raises(InputError) as caught:
        renamed(["other", name], genome)
    assert str(caught.value) == (
        f"my peaks.bed, line 12: chromosome {name!r} is not in the genome;"
        f" did you mean {suggestion!r}?"
        " give both names in the table of genome: chromosome_aliases"
    )


def test_a_sex_chromosome_is_no_roman_ten():
    assert renamed(["chr1", "chrX"], ["chr1", "chr10"]) == (["chr1"], 1)
    assert renamed(["chr1", "chr10"], ["chr1", "chrX"]) == (["chr1"], 1)
    assert renamed(["chrX", "chr10"], ["chr1", "chrX"]) == (["chrX"], 1)
    assert renamed(["chrX", "chr10"], ["chrX", "chr2L"]) == (["chrX"], 1)


def test_roman_numerals_do_not_count_beside_arabic_names():
    # A genome with both kinds of names is no Roman one: its chrI and chr1 are two things.
    assert renamed(["chr1", "chr2"], ["chr1", "chrII"]) == (["chr1"], 1)


def test_no_row_on_a_known_chromosome():
    with pytest.raises(InputError) as caught:
        renamed(["scaffold_1", "scaffold_2"], ["chr1", "chr2", "chr3", "chr4"])
    message = str(caught.value)
    assert message.startswith("my peaks.bed, line 11: ")
    assert "'scaffold_1', 'scaffold_2'" in message
    assert "'chr1', 'chr2', 'chr3', ..." in message
    assert "chromosome_aliases" in message


def test_past_the_chromosomes_end(write):
    path = write("#x\nchr1\t90\t100\nchr1\t95\t101\n")
    with pytest.raises(InputError) as caught:
        rename_chromosomes(read_peaks(path), {"chr1": 100}, {}, path)
    assert str(caught.value) == (
        f"{path}, line 3: chr1:95-101 reaches past the end of chr1 (100 bp);"
        " is this the right genome assembly?"
    )
    with pytest.raises(InputError, match=r"chr1:95-101 reaches past"):
        rename_chromosomes(read_intervals(path), {"chr1": 100}, {}, path)
    kept, _ = rename_chromosomes(read_peaks(path), {"chr1": 101}, {}, path)
    assert kept.end.tolist() == [100, 101]


# Sequences: what is accepted


def test_deepbind_format(write):
    text = "FoldID\tEventID\tseq\tBound\nA\tseq_1\tACGTn\t1\nA\tseq_2\tacguR\t0\n"
    for content in (text, gzip.compress(text.encode()), text.replace("\n", "\r\n")):
        path = write(content, "A_(sc-1)_B.seq.gz")
        frame = read_sequences(path, "binary")
        assert list(frame.columns) == ["name", "sequence", "value", "line"]
        assert frame.name.tolist() == ["seq_1", "seq_2"]
        assert frame.sequence.tolist() == ["ACGTN", "ACGUR"]
        assert frame.value.tolist() == [1, 0]
        assert frame.line.tolist() == [2, 3]
        assert frame.value.dtype == np.float64
        assert frame.line.dtype == np.int64


@pytest.mark.parametrize("separator", ["\t", ",", ";", " "])
def test_table_separators_and_column_names(write, separator):
    rows = [["ID", "Sequence", "Intensity"], ["a", "ACGT", "-1.5"], ["b", "GG", "2e3"]]
    text = "# c\n\n" + "".join(separator.join(row) + "\n" for row in rows)
    frame = read_sequences(write(text, "t.txt"), "score")
    assert frame.name.tolist() == ["a", "b"]
    assert frame.sequence.tolist() == ["ACGT", "GG"]
    assert frame.value.tolist() == [-1.5, 2000]
    assert frame.line.tolist() == [4, 5]


def test_quoted_csv(write):
    frame = read_sequences(write('"name","seq","label"\n"a","AC",1\n"b","GT","0"\n'), "binary")
    assert frame.name.tolist() == ["a", "b"]
    assert frame.value.tolist() == [1, 0]


def test_value_column_by_preference(write):
    path = write("signal\tscore\tlabel\tseq\n5\t7.5\t1\tAC\n")
    assert read_sequences(path, "binary").value.tolist() == [1]
    assert read_sequences(path, "score").value.tolist() == [7.5]
    assert read_sequences(write("seq\tBound\nAC\t0.5\n"), "score").value.tolist() == [0.5]


@pytest.mark.parametrize("text", ["ACGT\t1\nGGGG\t0\n", "1\tACGT\n0\tGGGG\n", "ACGT 1\nGGGG 0\n"])
def test_table_without_header(write, text):
    frame = read_sequences(write(text), "binary")
    assert frame.name.tolist() == ["sequence_1", "sequence_2"]
    assert frame.sequence.tolist() == ["ACGT", "GGGG"]
    assert frame.value.tolist() == [1, 0]
    assert frame.line.tolist() == [1, 2]


@pytest.mark.parametrize("text", ["seq\nACGT\nGG\n", "name\tseq\na\tACGT\nb\tGG\n", "ACGT\nGG\n"])
def test_binary_table_without_values_is_positive(write, text):
    assert read_sequences(write(text), "binary").value.tolist() == [1, 1]
    refused(read_sequences, write(text), "score", says="no scores")


def test_fasta_with_values(write):
    text = "\n>a x 3.5\nACG\nT\n\n>b score=-1e2\nacgu\n>chr1:1-4 value=.5 \nNNNN"
    for content in (text, gzip.compress(text.encode()), text.replace("\n", "\r\n")):
        frame = read_sequences(write(content, "a.fa"), "score")
        assert frame.name.tolist() == ["a", "b", "chr1:1-4"]
        assert frame.sequence.tolist() == ["ACGT", "ACGU", "NNNN"]
        assert frame.value.tolist() == [3.5, -100, 0.5]
        assert frame.line.tolist() == [2, 6, 8]


def test_fasta_with_labels(write):
    frame = read_sequences(write(">a label=1\nAC\n>b 0\nGT\n"), "binary")
    assert frame.value.tolist() == [1, 0]


def test_fasta_without_values_is_positive(write):
    path = write(">chr1:1-3(+)\nAC\n>7\nGT\n")
    frame = read_sequences(path, "binary")
    assert frame.name.tolist() == ["chr1:1-3(+)", "7"]
    assert frame.value.tolist() == [1, 1]
    refused(read_sequences, path, "score", says="no scores")


# Sequences: what is refused


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name\tlabel\na\t1\n", 1, "no sequence column"),
        ("a\tACGT\t1\n", 1, "no sequence column"),
        ("ACGT\tword\n", 1, "no sequence column"),
        ("seq\tlabel\n", None, "no sequence"),
        ("# c\n", None, "no sequence"),
        ("seq\tlabel\nAC\t1\n\t1\n", 3, "empty"),
        ("seq\tlabel\nAC\t1\n\nAXC\t1\n", 4, ("'X'", "position 2")),
        ("seq\tlabel\nAC\t1\nA-C\t1\n", 3, "'-'"),
        ("seq\tlabel\nACé\t1\n", 2, "position 3"),
        ("seq\tlabel\nAC\tyes\n", 2, ("label", "'yes'")),
        ("seq\tlabel\nAC\t\n", 2, "''"),
        ("seq\tlabel\nAC\t1\nAC\tnan\n", 3, "'nan'"),
        ("seq\tlabel\nAC\tinf\n", 2, "finite"),
        ("seq\tlabel\nAC\t1\nAC\t2\n", 3, ("'2'", "0 or 1")),
        ("seq\tlabel\nAC\t-1\n", 2, "0 or 1"),
        ("seq\tlabel\nAC\t1\nAC\n", 3, ("has 1 column ", "line 1 has 2")),
        (">a 1\nAC\n>b\nGT\n", 3, ("'b'", "does not end")),
        (">a 1\nAC\n>b 1\n>c 1\nGT\n", 3, "empty"),
        (">a\nAC\n>b\nA\nZC\n", 3, ("'Z'", "position 2")),
        (">a 5\nAC\n", 1, "0 or 1"),
        (">a label=yes\nAC\n", 1, "'yes'"),
        (">a nan\nAC\n", 1, "finite"),
    ],
)
def test_bad_binary_sequences(write, text, line, says):
    refused(read_sequences, write(text, "t.tsv"), "binary", line=line, says=says)


def test_bad_scores(write):
    refused(read_sequences, write("seq\tscore\nAC\t-inf\n"), "score", line=2, says="finite")
    refused(read_sequences, write("seq\tscore\nAC\tx\n"), "score", line=2, says="'x'")
    refused(read_sequences, write(">a score=\nAC\n"), "score", line=1, says="''")


def test_bad_sequence_files(write, tmp_path):
    refused(read_sequences, tmp_path / "absent.seq.gz", "binary", says="no such file")
    refused(read_sequences, write(""), "binary", says="empty")
    refused(read_sequences, write(gzip.compress(b"", mtime=0)), "binary", says="no sequence")
    text = "seq\tlabel\n" + "ACGTTGCA\t1\n" * 1000
    cut = write(gzip.compress(text.encode())[:-20], "cut (1).seq.gz")
    refused(read_sequences, cut, "binary", says="cut short")


# Codes


def test_codes_of_equal_lengths():
    codes = to_codes(["ACGT", "nuRa"])
    assert codes.dtype == np.uint8
    assert codes.tolist() == [[0, 1, 2, 3], [4, 3, 4, 0]]
    assert codes.flags.writeable
    assert to_codes(pd.Series(["ACGT"], index=[7])).tolist() == [[0, 1, 2, 3]]


def test_codes_of_nothing():
    assert to_codes([]).shape == (0, 0)


def test_unequal_lengths_are_refused_or_padded():
    sequences = ["ACG", "ACG", "A", "ACGTT"]
    with pytest.raises(InputError) as caught:
        to_codes(sequences, "error", "a b.seq", [2, 3, 9, 10])
    assert str(caught.value) == (
        "a b.seq, line 9: the sequence is 1 long where that of line 2 is 3;"
        " make them equal or set windows: unequal_lengths: pad"
    )
    with pytest.raises(InputError, match="sequence 3"):
        to_codes(sequences)
    assert to_codes(sequences, "pad").tolist() == [
        [0, 1, 2, 4, 4],
        [0, 1, 2, 4, 4],
        [0, 4, 4, 4, 4],
        [0, 1, 2, 3, 3],
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ACGTN", min_size=1, max_size=12), min_size=1, max_size=8))
def test_padded_codes_decode_to_the_sequences(sequences):
    codes = to_codes(sequences, "pad")
    longest = max(map(len, sequences))
    assert [decode(row) for row in codes] == [text.ljust(longest, "N") for text in sequences]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**6)), min_size=1, max_size=6),
    gaps=st.lists(st.sampled_from(["", "# c\n", "\n", "track x\n"]), min_size=6, max_size=6),
)
def test_peaks_read_back_with_their_lines(tmp_path_factory, rows, gaps):
    records = [f"chr1\t{start}\t{start + size}\n" for start, size in rows]
    text = "".join(gap + record for gap, record in zip(gaps, records, strict=False))
    path = tmp_path_factory.mktemp("peaks") / "p.bed"
    path.write_text(text)
    peaks = read_peaks(path)
    assert peaks.start.tolist() == [start for start, _ in rows]
    assert (peaks.end - peaks.start).tolist() == [size for _, size in rows]
    lines = text.splitlines(keepends=True)
    assert [lines[line - 1] for line in peaks.line] == records


# Real files


@pytest.mark.skipif(not DATA.is_dir(), reason="real data is not at ../shared/data")
def test_real_files():
    lengths = pd.read_csv(DATA / "yeast/sacCer3.chrom.sizes", sep="\t", header=None, index_col=0)
    lengths = lengths[1].to_dict()
    paths = sorted((DATA / "yeast/peaks").glob("*.bed"))
    kept, dropped = zip(
        *(rename_chromosomes(read_peaks(path), lengths, {}, path) for path in paths), strict=True
    )
    assert sum(map(len, kept)) == 16_552
    assert sum(dropped) == 0
    assert all(frame.score.notna().all() for frame in kept)
    assert len(read_intervals(DATA / "yeast/exclude.bed")) == 417
    for path in (DATA / "encode_deepbind").glob("*_B.seq.gz"):
        frame = read_sequences(path, "binary")
        codes = to_codes(frame.sequence, where=path, lines=frame.line)
        assert codes.shape == (1000, 101)
        assert frame.value.sum() == 500
