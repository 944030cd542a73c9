"""Small valid files of every kind that the workflow reads, built here; what is mutated."""

import gzip
import hashlib
import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import yaml

SHEET = "dataset\ttf\tkind\tpath\ttest_path\talphabet\tlabels\tmotif\n"
LENGTHS = {"chr1": 5000, "chr2": 4000, "chrM": 600}
REPOSITORY = Path(__file__).parents[2]


def texts(*contents: str) -> list[bytes]:
    """Each text as it is, and the first one in other wrappings."""
    first = contents[0]
    wrapped = [
        first.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + first.encode(),
        first.encode("utf-16"),
        gzip.compress(first.encode(), mtime=0),
    ]
    return [text.encode() for text in contents] + wrapped


def peaks() -> list[bytes]:
    narrow = "".join(
        f"chr{1 + i % 2}\t{i * 40}\t{i * 40 + 200}\tp{i}\t{i}\t.\t{i / 7:.3f}\t3.1\t-1\t{i % 200}\n"
        for i in range(12)
    )
    return texts(
        narrow,
        "track name=x\nbrowser position chr1:1-9\n#c\nchr1\t10\t20\nchr2\t5\t10\n",
        "chrom start end\nchr1 10 20\nchr1 30 40\n",
        "chr1\t100\t200\ta\t900\t.\t7.5\t3\t2\nchr1\t300\t400\ta\t900\t.\t.\t3\t2\n",
        "chr1\t100\t200\ta\t5\t+\t100\t200\t0\t1\t100\t0\n",
    )


def phased() -> list[bytes]:
    """Phased genotypes on a genome that is A throughout."""
    known = '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    header = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2\n"
    alleles = ("C", "AG", "<DEL>", "*", "G,T", "AACC", ".")
    calls = ("0|1", "1|1", "0/1", "./.", "1", "1/1", ".|1")
    records = "".join(
        f"chr{1 + i // 9}\t{10 + 7 * i}\t.\t{'AAA'[: 1 + i % 3]}\t{alleles[i % 7]}\t.\tPASS\t.\tGT"
        f"\t{calls[i % 7]}\t{calls[3 * i % 7]}\n"
        for i in range(14)
    )
    contigs = "##contig=<ID=chr1,length=500>\n##contig=<ID=chr2>\n"
    return texts(
        "##fileformat=VCFv4.3\n" + contigs + known + header + records,
        "##fileformat=VCFv4.1\n" + known + header,
        "##fileformat=VCFv4.4\n" + contigs + known + header + records.replace("\t0|1", "\t|0|1"),
    )


def aliases() -> list[bytes]:
    return texts(
        "name\talias\nchr1\t1\nchr2\t2\nchrM\tMT\n",
        "name\talias\tensembl\trefseq\nchr1\t1\tI\tNC_1\nchr2\t\tII\t\n",
    )


@cache
def variants() -> list[bytes]:
    """VCFs on a genome of A alone, the first one also in blocks, and as BCF."""
    contigs = "".join(f"##contig=<ID={name},length={n}>\n" for name, n in LENGTHS.items())
    keys = '##INFO=<ID=END,Number=1,Type=Integer,Description="e">\n'
    keys += '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    plain = f"##fileformat=VCFv4.2\n{contigs}{keys}{columns}\tFORMAT\ts1\ts2\n" + "".join(
        f"chr{1 + i // 6}\t{10 + i}\trs{i}\tA\t{alt}\t30\tPASS\tEND={i + 20}\tGT\t0/1\t./.\n"
        for i, alt in enumerate(("C", "G,T", "AACGT", "<DEL>", "*", "A[chr2:9[") * 2)
    )
    odd = f"##fileformat=VCFv4.4\n{columns}\nchr2\t0\t.\tN\t.\t.\t.\t.\n1\t5\t.\tAAA\tA\t.\t.\t.\n"
    return [*texts(plain, odd, f"##fileformat=VCFv4.1\n{columns}\n"), *_packed_variants(plain)]


def _packed_variants(plain: str) -> list[bytes]:
    """A VCF as bgzip and as BCF have it."""
    import pysam

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a.vcf.gz", "a.bcf")]
        with pysam.BGZFile(str(paths[0]), "wb") as stream:
            stream.write(plain.encode())
        with (
            pysam.VariantFile(str(paths[0])) as given,
            pysam.VariantFile(str(paths[1]), "wb", header=given.header) as made,
        ):
            for record in given:
                made.write(record)
        return [path.read_bytes() for path in paths]


def sequences() -> list[bytes]:
    probes = "".join(f"p{i}\t{'ACGTN' * 4}\t{i % 2}\n" for i in range(8))
    deepbind = "".join(f"A\tseq_{i}\t{'ACGT' * 5}\t{i % 2}\n" for i in range(6))
    return texts(
        "name\tsequence\tlabel\n" + probes,
        "FoldID\tEventID\tseq\tBound\n" + deepbind,
        'sequence,score\n"ACGTACGT",0.5\nACGTTTTT,1e-3\n',
        "ACGTACGT 1\nACGTACGA 0\n",
        ">a 1\nACGT\nACGT\n>b label=0\nACGTACGT\n",
        ">a\nACGTRYKM\n>b\nACGUACGU\n",
    )


def fasta() -> list[bytes]:
    lines = ("ACGTNacgtn" * 6 + "\n") * 3
    return texts(
        f">chr1 first\n{lines}ACG\n>chr2\n{lines}",
        ">a\nACGT\n>b\nAC\nGT\nA\n",
        ">only\n" + "ACGT" * 50,
    )


def motifs() -> list[bytes]:
    matrix = "0.1 0.2 0.3 0.4\n0.25 0.25 0.25 0.25\n1 0 0 0\n"
    head = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
    one = f"MOTIF MA1.1 REB1\nletter-probability matrix: alength= 4 w= 3 nsites= 9 E= 0\n{matrix}\n"
    return texts(
        head + one + one.replace("MA1.1", "MA2.1"),
        head + f"MOTIF x\nletter-probability matrix:\n{matrix}\nURL http://x\n",
        ">MA0001.1 AGL3\nA  [ 0  3 79 ]\nC  [94 75  4 ]\nG  [ 1  0  3 ]\nT  [ 2 19 11 ]\n",
        "AC  M00001\nXX\nID  V$MYOD\nP0  A  C  G  T\n01  1  2  2  0  S\n02  2  1  2  0  R\n//\n",
    )


def tables() -> list[bytes]:
    return texts(
        "dataset\ttf\tmodel\tpreset\texamples\tnegatives\tauroc\tnote\n"
        "a\tA\tdeepbind\tdeepbind\twindows\tgc\t0.75\tNA\n",
        "member\tepoch\tloss\n0\t1\t0.5\n0\t2\t0.25\n",
    )


def chrom_sizes() -> list[bytes]:
    return texts("".join(f"{name}\t{length}\n" for name, length in LENGTHS.items()))


@cache
def _files() -> dict[str, list[bytes]]:
    """Stores, weights and checkpoints as the library writes them."""
    import torch

    from motifloom import models
    from motifloom.bin_store import BinStore
    from motifloom.checkpoints import Checkpoint, Signals
    from motifloom.sequences import Genome

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "x.safetensors"
        made = {}

        def written(write) -> bytes:
            write(path)
            return path.read_bytes()

        made["genome"] = [written(lambda path: write_genome(path, random))]
        genome = Genome.open(path)
        bins = BinStore(
            genome=genome,
            chrom=np.array([0, 0, 1], np.int32),
            start=np.array([-20, 100, 50]),
            split=np.array([0, 1, 2], np.uint8),
            kind=np.array([0, 1, 0], np.uint8),
            offsets=np.array([0, 2, 2, 3]),
            tracks=np.array([0, 1, 1], np.int32),
            info={
                "dataset": "multitask", "alphabet": "dna", "labels": "binary", "seed": 1,
                "targets": ["A", "B"], "left_out": [], "kinds": ["sampled", "unsampled"],
                "chromosomes": [[n, length] for n, length in LENGTHS.items()],
                "bin": 20, "context": 60, "genome_sha256": "0" * 64, "peaks_sha256": {},
            },
        )  # fmt: skip
        made["bins"] = [written(lambda path: bins.write(folder / "b.safetensors"))]
        made["bins"] = [(folder / "b.safetensors").read_bytes()]
        made["store"] = [written(lambda path: _store(random).write(path))]
        networks = (
            models.DeepBind(20, n_kernels=3, kernel_size=5),
            models.DeepBind(20, 3, 5, 1, 4, 0.1, True, "max+mean", 2, True),
            models.DanQ(40, 2, 5, 6, 4, 3, 7, centre=12, direct=True),
            models.ResNet(40, 2, 5, 6, 4, blocks=2, centre=12),
            models.RNN(20, 1, 4),
        )
        made["weights"] = []
        for network in networks:
            model = models.TrainedModel([network] * 2, _info(network))
            made["weights"].append(written(lambda path, model=model: models.save(model, path)))
        tensors = {"weights": torch.arange(4.0), "rng": torch.arange(3, dtype=torch.uint8)}
        state = {"epoch": 3, "best": float("inf"), "history": [[0, 1, 0.5]]}
        keep = Checkpoint(path, "d", 1.0, Signals())
        made["checkpoint"] = [written(lambda path: keep.save(tensors, state))]
    return made


def write_genome(path: Path, random: np.random.Generator) -> None:
    """An encoded genome of the chromosomes LENGTHS."""
    from motifloom.store import write_arrays

    blocks = [random.integers(5, size=n, dtype=np.uint8) for n in LENGTHS.values()]
    info = {"chromosomes": list(LENGTHS), "lengths": list(LENGTHS.values())}
    write_arrays(path, {"codes": ((sum(LENGTHS.values()),), np.uint8)}, blocks, info)


def _store(random: np.random.Generator):
    from motifloom.store import SequenceStore

    return SequenceStore(
        codes=random.integers(5, size=(5, 20), dtype=np.uint8),
        targets=np.array([[1], [0], [1], [0], [1]], np.float32),
        split=np.array([0, 0, 1, 2, 2], np.uint8),
        kind=np.array([0, 1, 0, 1, 0], np.uint8),
        parent=np.array([0, 0, 2, 2, 4]),
        chrom=np.array([0, -1, 1, -1, 0], np.int32),
        start=np.array([5, -1, 7, -1, 9]),
        strand=np.zeros(5, np.uint8),
        info={
            "dataset": "a", "tf": "A", "alphabet": "dna", "labels": "binary", "negatives": "gc",
            "targets": ["A"], "chromosomes": ["chr1", "chr2"], "kinds": ["site", "gc"],
        },
    )  # fmt: skip


def _info(network) -> dict:
    return {
        "network": type(network).__name__, "preset": "tiny", "members": 2, "best_member": 0,
        "hyperparameters": network.hyperparameters, "strands": "max", "alphabet": "dna",
        "labels": "binary", "targets": list("AB")[: network.hyperparameters["n_targets"]],
        "target_mean": 0.0, "target_scale": 1.0,
    }  # fmt: skip


def files(kind: str) -> list[bytes]:
    """Valid files: "genome", "store", "bins", "weights" or "checkpoint"."""
    return _files()[kind]


def card() -> list[bytes]:
    sections = ("model", "weights", "input", "output", "data", "training", "versions")
    content = {"format": 1, "metrics": [], "licence": None, "citation": ["x"]}
    content |= {name: {"name": "x"} for name in sections}
    platt = {"method": "platt", "slope": 2.0, "intercept": -1.0, "negatives": "gc"}
    rising = {"method": "isotonic", "scores": [0.0, 1.5], "probabilities": [0.1, 0.9]}
    return [
        json.dumps(content | {"calibration": maps}).encode()
        for maps in (None, platt, rising | {"negatives": "gc"})
    ]


def calibration() -> list[bytes]:
    platt = {"method": "platt", "slope": 2.0, "intercept": -1.0}
    rising = {"method": "isotonic", "scores": [0.0, 1.5], "probabilities": [0.1, 0.9]}
    maps = {"dataset": "a", "negatives": "gc", "models": {"deepbind": platt, "kmer": rising}}
    return [json.dumps(maps).encode()]


def checksums() -> list[bytes]:
    return [f"{'0' * 64}  metrics.tsv\n{'1' * 64}  models/a/weights.safetensors\n".encode()]


def provenance() -> list[bytes]:
    from motifloom.provenance import FORMAT

    return [json.dumps({"format": FORMAT, "results": {"sha256": "0" * 64}, "runs": []}).encode()]


def archives() -> list[bytes]:
    """A frozen run by its form, stored and compressed."""
    from motifloom.freezing import MANIFEST
    from motifloom.provenance import CHECKSUMS, FORMAT, PROVENANCE

    digest = hashlib.sha256(b"x").hexdigest()
    listed = f"{digest}  metrics.tsv\n"
    told = {"format": FORMAT, "results": {"sha256": hashlib.sha256(listed.encode()).hexdigest()}}
    files = {"metrics.tsv": "x", CHECKSUMS: listed, PROVENANCE: json.dumps(told)}
    files = {f"results/{name}": text for name, text in files.items()}
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    files[MANIFEST] = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text, method)
        found.append(packed.getvalue())
    return found


def configs() -> list[bytes]:
    small = {"name": "mine", "datasets": "datasets.tsv", "genome": {"fasta": "g.fa"}}
    large = small | {
        "score": {"mine": "a.fa"},
        "multitask": {"datasets": ["A"], "bin": 200, "context": 1000},
        "models": {"deepbind": ["deepbind"], "settings": {"deepbind": {"members": 2}}},
        "splits": {
            "test": {"by": "chromosomes", "chromosomes": ["chr1"]},
            "validation": {"by": "chromosomes", "chromosomes": ["chr2"]},
        },
        "evaluation": {"recalls": [0.5], "learning_curve": [0.25]},
        "cross_validation": {"folds": 3},
    }
    example = (REPOSITORY / "config/config.yaml").read_bytes()
    return [yaml.safe_dump(small).encode(), yaml.safe_dump(large).encode(), example]


def sheets() -> list[bytes]:
    rows = "A\tA\tpeaks\ta.bed\t\tdna\tbinary\tMA1.1\nB-2\tB\tsequences\tb.tsv\tc.tsv\trna\tscore\t"
    return texts(SHEET + rows + "\n", SHEET + rows.partition("\n")[0] + "\n")


def names() -> list[bytes]:
    given = (
        "A",
        "CTCF_K562",
        "SPI1.rep-2+b",
        "a" * 100,
        "..",
        "a/b",
        "/a",
        "-n",
        "Multitask",
        "a\n",
        "CON",
    )
    given += (
        "a\0",
        "а",
        "ａ",
        "a\u202e",
        "a" * 101,
        "",
        ".",
        ".a",
        "~",
        "$(id)",
        "a b",
        "a\\b",
        "*",
        "{a}",
    )
    return [name.encode() for name in given]


def downloads() -> list[bytes]:
    return texts(
        f"path\turl\tsha256\na/b.bed\thttps://x.org/b.bed?q=1\t{'0' * 64}\nc\thttp://y/c\t\n"
    )
