"""Measure what the workflow costs beyond its work: python tests/benchmarks/overhead.py --help.

Many datasets that do next to nothing (sixty sequences of twenty bases each, one network of four
kernels trained for one step) are taken from the tables to the report. What is measured is told in
docs/benchmarks.md.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = "GATAAG"
COLUMNS = ["what", "unit", "value"]
IMPORT = re.compile(r"^import time:\s+(\d+) \|", re.MULTILINE)
CONFIG = {
    "name": "idle",
    "datasets": "datasets.tsv",
    "negatives": {"train_negatives_per_positive": 1, "test_negatives_per_positive": 1},
    "models": {
        "settings": {"deepbind": {"members": 1, "epochs": 1, "min_steps": 0, "n_kernels": 4}}
    },
    "evaluation": {"bootstraps": 2},
    "attribution": {"sequences": 1, "drawn": 1},
    "motifs": {
        "logos_per_model": 1,
        "controls": 1,
        "jaspar": {"taxa": []},
        "meme_files": ["motifs.meme"],
    },
}


def write_project(folder: Path, n_datasets: int) -> None:
    """Config, dataset table, sequence tables and one known motif."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    lines = ["dataset\ttf\tkind\tpath\ttest_path\talphabet\tlabels\tmotif"]
    for number in range(n_datasets):
        lines.append(f"d{number}\tTF{number}\tsequences\td{number}.tsv\t\tdna\tbinary\t")
        write_sequences(folder / f"d{number}.tsv", np.random.default_rng(number))
    (folder / "datasets.tsv").write_text("\n".join(lines) + "\n")
    rows = "\n".join(" ".join("0.91" if a == b else "0.03" for a in "ACGT") for b in SITE)
    (folder / "motifs.meme").write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF M1\n"
        f"letter-probability matrix: alength= 4 w= {len(SITE)} nsites= 50\n{rows}\n"
    )


def write_sequences(path: Path, rng: np.random.Generator) -> None:
    """A table of sixty sequences of twenty bases with one site each."""
    letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, (60, 20))]
    letters[:, 7 : 7 + len(SITE)] = np.frombuffer(SITE.encode(), np.uint8)
    rows = [f"{row.tobytes().decode()}\t1" for row in letters]
    path.write_text("sequence\tlabel\n" + "\n".join(rows) + "\n")


def snakemake(folder: Path, *arguments: str, **environment: str) -> tuple[float, str]:
    """Wall time in seconds and output of one call."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", folder, "--configfile", folder / "config.yaml", *arguments]
    began = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    return seconds, done.stdout


def measure_graph(folder: Path, n_datasets: int) -> list[tuple]:
    """How long the graph of many datasets' jobs takes to be built."""
    write_project(folder, n_datasets)
    seconds, _ = snakemake(folder, "--dry-run", "--quiet", "--cores", "1")
    return [(f"graph of {n_datasets} datasets", "s", seconds)]


def measure_run(folder: Path, n_datasets: int, cores: int) -> list[tuple]:
    """Wall time per job of a whole run, and how much of it Python's imports are."""
    write_project(folder, 1)
    snakemake(folder, "--cores", str(cores))  # compiles what Numba keeps
    write_project(folder := folder.with_name("many"), n_datasets)
    seconds, output = snakemake(folder, "--cores", str(cores))
    n_jobs = int(re.findall(r"of (\d+) steps \(100%\) done", output)[-1])
    rows = [
        (f"run of {n_datasets} datasets on {cores} cores", "s", seconds),
        ("jobs", "", n_jobs),
        ("wall time per job", "s", seconds / n_jobs),
        ("core time per job", "s", cores * seconds / n_jobs),
    ]
    rules = [(*key, *value) for key, value in time_of_rules(folder).items()]
    total = sum(count * mean for _, count, mean in rules)
    rows.append(("time in jobs, mean of a job", "s", total / n_jobs))
    return rows + [(f"job of {rule} ({count})", "s", mean) for rule, count, mean in rules]


def time_of_rules(folder: Path) -> dict[tuple[str], tuple[int, float]]:
    """Rule -> number of its timed jobs and their mean wall time in seconds."""
    found = {}
    for path in (folder / "logs/idle/benchmarks").rglob("*.tsv"):
        rule = path.relative_to(folder / "logs/idle/benchmarks").parts[0].removesuffix(".tsv")
        found.setdefault(rule, []).append(pd.read_csv(path, sep="\t").s[0])
    return {(rule,): (len(times), float(np.mean(times))) for rule, times in sorted(found.items())}


def measure_imports(folder: Path, n_datasets: int = 4) -> list[tuple]:
    """Seconds of imports in the mean job, as Python itself counts them."""
    write_project(folder, n_datasets)
    seconds, output = snakemake(folder, "--cores", "1", PYTHONPROFILEIMPORTTIME="1")
    _, planned = snakemake(folder, "--cores", "1", "--dry-run", PYTHONPROFILEIMPORTTIME="1")
    own = sum(map(int, IMPORT.findall(planned))) / 1e6
    n_jobs = int(re.findall(r"of (\d+) steps \(100%\) done", output)[-1])
    imports = sum(map(int, IMPORT.findall(output))) / 1e6 - own
    return [
        (f"imports per job ({n_jobs} jobs)", "s", imports / n_jobs),
        ("share of imports in such a run's time", "", imports / seconds),
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("--graph", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, help="also write the table here, tab-separated")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = measure_graph(folder / "graph", arguments.graph)
        print(pd.DataFrame(rows, columns=COLUMNS).to_string(index=False), flush=True)
        rows += measure_run(folder / "one", arguments.datasets, arguments.cores)
        rows += measure_imports(folder / "imports")
    table = pd.DataFrame(rows, columns=COLUMNS)
    print(table.to_string(index=False, float_format="%.3g"))
    if arguments.output:
        table.to_csv(arguments.output, sep="\t", index=False)


if __name__ == "__main__":
    main()
