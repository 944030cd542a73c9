"""Input by grammar: hypothesis strategies of whole files, from rows and trees of likely parts."""

import gzip
import json

from hypothesis import strategies as st
from mutations import NUMBERS, WORDS, pack, unpack

_BASES = st.text("ACGTNacgtnURYX-* ", max_size=20)
_NUMBER = (
    st.sampled_from(NUMBERS)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.integers(0, 999).map(str)
)
_WORD = st.sampled_from(WORDS) | st.text(max_size=6)
_CHROM = st.sampled_from(("chr1", "chr2", "chrM", "1", "MT", "chrUn", "Chr1", "I"))
_ENDS = st.sampled_from(("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
_TREE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORD, inner, max_size=4),
    max_leaves=12,
)
_ROWS = {
    "peaks": st.tuples(_CHROM, _NUMBER, _NUMBER),
    "excluded": st.tuples(_CHROM, _NUMBER, _NUMBER),
    "regions": st.tuples(_CHROM, _NUMBER, _NUMBER, _WORD, _NUMBER, st.sampled_from("+-.")),
    "phased": st.tuples(
        _CHROM, _NUMBER, st.just("."), st.just("A") | _BASES, st.just("C") | _BASES | _WORD,
        st.just("."), st.just("."), st.just("."), st.just("GT"),
        st.sampled_from(("0|1", "1/1", "0/1", ".", "2|0", "1", "0|1|1")) | _WORD,
        st.just("1|0") | _NUMBER,
    ),
    "aliases": st.tuples(_CHROM, _CHROM | _WORD),
    "variants": st.tuples(
        _CHROM, _NUMBER, _WORD, _BASES, _BASES, _NUMBER, _WORD, _WORD | st.just("END=9;SVLEN=7")
    ),
    "labels": st.tuples(_BASES, _NUMBER) | st.tuples(_WORD, _BASES, _NUMBER),
    "scores": st.tuples(_BASES, _NUMBER) | st.tuples(_WORD, _BASES, _NUMBER),
    "fasta": st.tuples(_BASES) | _WORD.map(lambda word: (f">{word}",)),
    "meme": st.tuples(_NUMBER, _NUMBER, _NUMBER, _NUMBER)
    | _WORD.map(lambda word: (f"MOTIF {word}",))
    | _NUMBER.map(lambda n: (f"letter-probability matrix: alength= 4 w= {n} nsites= {n}",))
    | st.just(("0.25 0.25 0.25 0.25",)),
    "tables": st.tuples(_WORD, _NUMBER, _WORD),
    "chrom_sizes": st.tuples(_CHROM, _NUMBER),
    "datasets": st.tuples(
        _WORD | st.just("A"), _WORD, st.sampled_from(("peaks", "sequences")), _WORD, _WORD,
        st.sampled_from(("dna", "rna")), st.sampled_from(("binary", "score")), _WORD,
    ),
    "downloads": st.tuples(_WORD, st.sampled_from(("http://x/", "https://y/a?")), _WORD),
}  # fmt: skip
_HEADS = {
    "phased": (
        "##fileformat=VCFv4.3\n##contig=<ID=chr1>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2\n",
    ),
    "aliases": ("name\talias\n",),
    "labels": ("sequence\tlabel\n", "name\tsequence\tlabel\n", ""),
    "scores": ("sequence,score\n", "name\tsequence\tscore\n", ""),
    "meme": ("MEME version 4\n", "MEME version 4\nALPHABET= ACGT\n"),
    "tables": ("a\tb\tc\n",),
    "variants": (
        "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n",
        "##fileformat=VCFv4.3\n",
    ),
    "datasets": ("dataset\ttf\tkind\tpath\ttest_path\talphabet\tlabels\tmotif\n",),
    "downloads": ("path\turl\tsha256\n",),
}


@st.composite
def _text(draw, name: str) -> bytes:
    rows = draw(st.lists(_ROWS[name], max_size=8))
    further = draw(st.lists(_WORD | _NUMBER, max_size=8))
    mark = draw(st.sampled_from(("\t", "\t", "\t", " ", ",", ";")))
    end = draw(_ENDS)
    head = draw(st.sampled_from(_HEADS.get(name, ("",))))
    text = head + "".join(mark.join([*row, *further]) + end for row in rows)
    data = text.encode("utf-8", "replace")
    return gzip.compress(data, 1, mtime=0) if draw(st.integers(0, 9)) == 0 else data


@st.composite
def _json(draw, seeds: list[bytes]) -> bytes:
    """A valid tree with some of its top-level values replaced."""
    tree = json.loads(draw(st.sampled_from(seeds)))
    for key in draw(st.lists(st.sampled_from(sorted(tree)), min_size=1, max_size=2, unique=True)):
        tree[key] = draw(_TREE | _WORD)
    return json.dumps(tree).encode()


@st.composite
def _yaml(draw, seeds: list[bytes]) -> bytes:
    import yaml

    tree = yaml.safe_load(draw(st.sampled_from(seeds)))
    for key in draw(st.lists(st.sampled_from(sorted(tree)), min_size=1, max_size=2, unique=True)):
        tree[key] = draw(_TREE)
    return json.dumps(tree).encode()


@st.composite
def _arrays(draw, seeds: list[bytes]) -> bytes:
    """A valid file whose description has other values."""
    header, body = unpack(draw(st.sampled_from(seeds)))
    info = json.loads(header["__metadata__"]["motifloom"])
    for key in draw(st.lists(st.sampled_from(sorted(info)), min_size=1, max_size=2, unique=True)):
        info[key] = draw(_TREE)
    header["__metadata__"]["motifloom"] = json.dumps(info)
    return pack(header, body)


def strategy(target) -> st.SearchStrategy[bytes]:
    """Files for a target, by its name and kind."""
    if target.name == "config":
        return _yaml(target.seeds())
    if target.name == "names":
        return (_WORD | st.text(max_size=20) | st.from_regex("[A-Za-z0-9._/-]+")).map(
            lambda name: name.encode("utf-8", "replace")
        )
    if target.name == "checksums":
        row = st.tuples(st.text("0123456789abcdef", min_size=63, max_size=64), _WORD)
        return st.lists(row.map("  ".join)).map(lambda rows: "\n".join(rows).encode())
    if target.kind == "bytes":
        seed = target.seeds()[0]
        return st.binary(max_size=50).map(lambda data: seed[: len(seed) // 2] + data)
    if target.kind == "json":
        return _json(target.seeds())
    return _arrays(target.seeds()) if target.kind == "arrays" else _text(target.name)
