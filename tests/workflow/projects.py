"""A tiny project as a user has it, and Snakemake called on it as a user does."""

import fcntl
import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SOURCES = (
    "Snakefile",
    "workflow",
    "rules",
    "workflow_scripts",
    "config",
    "report",
    "envs",
    "profiles",
)
SHEET = ["dataset", "tf", "kind", "path", "test_path", "alphabet", "labels", "motif"]
LETTERS = np.frombuffer(b"ACGT", np.uint8)

SITES = {"GATA1": "AGATAAGG", "SPI1": "AGGAAGTG", "MYC": "CCACGTGG"}
MEME = "data/motifs.meme"
# Names and paths on purpose as awkward as the workflow allows.
GATA1_PEAKS = "data/GATA1 peaks (v1; #2 & best).narrowPeak"
DATASETS = (
    ("GATA1", "GATA1", "peaks", GATA1_PEAKS, "", "dna", "binary", f"{MEME}#GATA1"),
    ("SPI1.rep-2+b", "SPI1", "peaks", "data/SPI1.bed.gz", "", "dna", "binary", f"{MEME}#SPI1"),
    ("MYC", "MYC", "peaks", "data/MYC.narrowPeak", "", "dna", "binary", ""),
    ("selex", "GATA1", "sequences", "data/selex.tsv", "", "dna", "score", f"{MEME}#GATA1"),
)
CONFIG = {
    "name": "tiny",
    "datasets": "datasets.tsv",
    "genome": {"fasta": "data/genome.fa"},
    "splits": {
        "test": {"by": "chromosomes", "chromosomes": ["chr2"]},
        "validation": {"by": "chromosomes", "chromosomes": ["chr3"]},
    },
    "negatives": {
        "kinds": ["dinucleotide", "gc"],
        "train_negatives_per_positive": 1,
        "test_negatives_per_positive": 2,
    },
    "models": {
        "settings": {
            "deepbind": {"members": 2, "epochs": 1, "min_steps": 0, "n_kernels": 8},
            "danq": {
                "epochs": 1,
                "direct_epochs": 1,
                "direct_min_steps": 0,
                "head_epochs": 1,
                "head_min_steps": 0,
                "members": 2,
                "n_kernels": 8,
                "lstm_units": 4,
            },
        },
    },
    "multitask": {
        "datasets": ["GATA1", "SPI1.rep-2+b"],
        "label": "site",
        "empty_per_labelled": 1.0,
    },
    "evaluation": {"bootstraps": 20},
    "motifs": {"logos_per_model": 1, "jaspar": {"taxa": []}, "meme_files": [MEME]},
}


@dataclass(frozen=True)
class Result:
    """How one call of Snakemake ended."""

    returncode: int
    output: str

    @property
    def jobs(self) -> set[str]:
        """What a dry run lists, as "rule" or, with wildcards, "rule model dataset"."""
        found = set()
        for block in re.split(r"\n(?=(?:local)?rule \w+:\n)", self.output)[1:]:
            rule = re.match(r"(?:local)?rule (\w+):", block)[1]
            wildcards = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
            values = re.findall(r"\w+=([^,\n]*)", wildcards[1]) if wildcards else []
            found.add(" ".join([rule, *values]))
        return found

    @property
    def rules(self) -> set[str]:
        """The rules of those jobs."""
        return {job.split()[0] for job in self.jobs}


@dataclass
class Project:
    """A user's working folder: config, dataset table and data; the workflow lies elsewhere."""

    folder: Path
    source: Path
    config: dict = field(default_factory=lambda: yaml.safe_load(yaml.safe_dump(CONFIG)))
    datasets: list[tuple] = field(default_factory=lambda: list(DATASETS))

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["name"]

    @property
    def logs(self) -> Path:
        return self.folder / "logs" / self.config["name"]

    def save(self) -> None:
        """Write config and dataset table; tests change the attributes, then call this."""
        text = yaml.safe_dump(self.config, sort_keys=False)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        lines = ["\t".join(row) for row in (SHEET, *self.datasets)]
        (self.folder / "datasets.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def call(self, *arguments: str, hash_seed: int = 0) -> Result:
        """Run Snakemake on the config as it stands on disk."""
        options = ["--directory", self.folder, "--configfile", self.folder / "config.yaml"]
        return snakemake(self.source / "Snakefile", *options, *arguments, hash_seed=hash_seed)

    def run(self, *targets: str, hash_seed: int = 0) -> Result:
        """Save and run the whole workflow, or make some targets."""
        self.save()
        return self.call("--cores", "2", *targets, hash_seed=hash_seed)

    def plan(self, *targets: str) -> Result:
        """Save and list the jobs that a run would execute."""
        self.save()
        return self.call("--cores", "2", "--dry-run", *targets)


def snakemake(snakefile: Path, *arguments: str | Path, hash_seed: int = 0) -> Result:
    """Run Snakemake as its own process, as a user does."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, *arguments]
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        cwd=Path(snakefile).parent,
    )
    return Result(done.returncode, done.stdout)


def write_data(folder: Path) -> None:
    """Genome, peaks, scored probes and motifs; MYC has no peak on the test chromosome chr2."""
    random = np.random.default_rng(5)
    (folder / "data").mkdir(parents=True)
    peaks = _write_genome(folder / CONFIG["genome"]["fasta"], random)
    write_narrow_peaks(folder / GATA1_PEAKS, peaks["GATA1"])
    bed = "".join(f"{c}\t{s - 90}\t{s + 90}\tp{s}\t{1 + s % 97}\n" for c, s in peaks["SPI1"])
    (folder / "data/SPI1.bed.gz").write_bytes(gzip.compress(bed.encode(), mtime=0))
    elsewhere = [(chrom, summit) for chrom, summit in peaks["MYC"] if chrom != "chr2"]
    write_narrow_peaks(folder / "data/MYC.narrowPeak", elsewhere)
    _write_probes(folder / "data/selex.tsv", random)
    _write_motifs(folder / MEME)


def _write_genome(path: Path, random: np.random.Generator) -> dict[str, list[tuple[str, int]]]:
    """Four chromosomes of 40 kb with 35 sites a TF each; the sites' (chromosome, middle)."""
    peaks = {tf: [] for tf in SITES}
    with open(path, "w", encoding="ascii") as stream:
        for chrom in ("chr1", "chr2", "chr3", "chr4"):
            sequence = LETTERS[random.integers(0, 4, 40_000)]
            slots = random.permutation(np.arange(200, 39_800, 200))[: 35 * len(SITES)]
            for number, (tf, site) in enumerate(SITES.items()):
                for middle in np.sort(slots[number :: len(SITES)]):
                    first = middle - len(site) // 2 + random.integers(-10, 11)
                    sequence[first : first + len(site)] = np.frombuffer(site.encode(), np.uint8)
                    peaks[tf].append((chrom, int(middle)))
            stream.write(f">{chrom}\n{sequence.tobytes().decode()}\n")
    return peaks


def write_narrow_peaks(path: Path, summits: Iterable[tuple[str, int]]) -> None:
    """A narrowPeak file of 200-bp peaks with their summits in the middle."""
    lines = [
        f"{chrom}\t{summit - 100}\t{summit + 100}\tpeak_{i}\t0\t.\t{1 + 37 * i % 101}"
        "\t-1\t-1\t100\n"
        for i, (chrom, summit) in enumerate(summits)
    ]
    path.write_text("".join(lines), encoding="ascii")


def _write_probes(path: Path, random: np.random.Generator) -> None:
    """Scored 40-base probes, every second with a site and a higher score."""
    site = np.frombuffer(SITES["GATA1"].encode(), np.uint8)
    lines = ["name\tsequence\tscore\n"]
    for number in range(120):
        probe = LETTERS[random.integers(0, 4, 40)]
        score = random.normal()
        if number % 2:
            probe[10 : 10 + len(site)] = site
            score += 3
        lines.append(f"probe_{number}\t{probe.tobytes().decode()}\t{score:.4f}\n")
    path.write_text("".join(lines), encoding="ascii")


def _write_motifs(path: Path) -> None:
    """The planted motifs as a MEME file."""
    lines = ["MEME version 4\n", "ALPHABET= ACGT\n", "strands: + -\n"]
    for tf, site in SITES.items():
        lines.append(f"MOTIF {tf}")
        lines.append(f"letter-probability matrix: alength= 4 w= {len(site)} nsites= 50 E= 0")
        lines += [" ".join("0.91" if base == own else "0.03" for base in "ACGT") for own in site]
        lines.append("")
    path.write_text("\n".join(lines), encoding="ascii")


def make_project(folder: Path, source: Path) -> Project:
    """A new project with its data, nothing run yet."""
    write_data(folder)
    project = Project(folder, source)
    project.save()
    return project


def copy_tree(origin: Path, copy: Path) -> Path:
    """Copy a folder with all modification times, which Snakemake looks at."""
    return Path(shutil.copytree(origin, copy, copy_function=shutil.copy2, symlinks=True))


def copy_source(origin: Path, folder: Path) -> Path:
    """Copy the workflow; compiled functions come along, as their sources keep their times."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        if (origin / name).is_dir():
            copy_tree(origin / name, folder / name)
        else:
            shutil.copy2(origin / name, folder / name)
    return folder


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]):
    """A folder made by the first test process that asks for it and shared by all."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, finished = root / name, root / f"{name}.finished"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another process, where it failed
            make(folder)
            finished.touch()
    return folder
