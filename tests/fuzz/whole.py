"""Whole dry runs of Snakemake on damaged configs and tables, and jobs on hostile paths.

    python tests/fuzz/whole.py --seed 1 --inputs 40

The readers' own fuzzing stops before the rules are read. Here each input is a run, which must plan
its jobs or be refused in one sentence of Snakemake's WorkflowError (files that are missing: its
MissingInputException).
"""

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow")]

import mutations  # noqa: E402
import yaml  # noqa: E402
from projects import REPOSITORY, Project, Result, make_project  # noqa: E402

HOSTILE = "data/; touch shelled & touch shelled | -rf * #.narrowPeak"
REFUSALS = re.compile(r"^(WorkflowError|MissingInputException)", re.MULTILINE)
UNCAUGHT = re.compile(
    r"^(?:Traceback|(?!WorkflowError|MissingInputException)\w*(?:Error|Exception)\b)", re.MULTILINE
)


def fault(result: Result) -> str:
    """What is wrong with the end of a run; "" where it planned its jobs or was refused."""
    if result.returncode == 0:
        return ""
    found = UNCAUGHT.search(result.output)
    if found or not REFUSALS.search(result.output):
        return result.output[found.start() if found else -300 :][:300]
    return ""


def leaves(node: dict, above: tuple = ()) -> Iterator[tuple[tuple, dict]]:
    """(keys, schema) of every value that the schema of the config knows."""
    for key, value in node["properties"].items():
        if "properties" in value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def likely(schema: dict, rng: random.Random):
    """A value of the kind that a schema asks for, often a sound one."""
    kinds = schema.get("type", "string")
    kind = rng.choice(kinds) if isinstance(kinds, list) else kinds
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if kind == "array":
        return [likely(schema["items"], rng) for _ in range(rng.randrange(3))]
    words = ("", "chr1", "chr2", "chr9", "GATA1", "data/genome.fa", *mutations.WORDS)
    least, most = schema.get("minimum", 0), schema.get("maximum", 9)
    return {
        "integer": lambda: rng.choice(
            (least, least + 1, least + 2, most, schema.get("default", 3))
        ),
        "number": lambda: rng.choice((least, 0.25, 0.5, most)),
        "boolean": lambda: rng.random() < 0.5,
        "string": lambda: rng.choice(words),
        "object": lambda: rng.choice(({}, {"deepbind": {}}, {"a": "data/genome.fa"}, {"a": {}})),
        "null": lambda: None,
    }[kind]()


def damaged(folder: Path, source: Path, seed: int, number: int) -> Project:
    """A project with some changes of its config, likely and wild ones, or of its dataset table."""
    project = make_project(folder, source)
    rng = random.Random(f"{seed} whole {number}")
    schema = yaml.safe_load((source / "config/schemas/config.schema.yaml").read_text("utf-8"))
    known = list(leaves(schema))
    if number % 4 == 0:
        path = folder / "datasets.tsv"
        path.write_bytes(mutations.mutate(path.read_bytes(), rng, "text"))
    elif number % 4 == 1:
        changed = mutations.change_tree(project.config, rng)
        project.config = changed if isinstance(changed, dict) else project.config
    else:
        for keys, value in rng.sample(known, rng.randrange(1, 4)):
            section = project.config
            for key in keys[:-1]:
                section = section.setdefault(key, {})
            section[keys[-1]] = likely(value, rng)
    (folder / "config.yaml").write_text(json.dumps(project.config), encoding="utf-8")
    return project


def plan(seed: int, number: int) -> tuple[str, str]:
    """Verdict and fault of one dry run."""
    with tempfile.TemporaryDirectory(prefix="whole-") as name:
        project = damaged(Path(name) / "project", REPOSITORY, seed, number)
        result = project.call("--cores", "1", "--dry-run")
        outside = {path.name for path in Path(name).iterdir()} - {"project"}
    why = fault(result) or (f"wrote {outside}" if outside else "")
    return "uncaught" if why else ("refused" if result.returncode else "accepted"), why


def run_hostile() -> tuple[str, str]:
    """A job on a path full of shell signs: it must read the file and start nothing else."""
    with tempfile.TemporaryDirectory(prefix="whole-") as name:
        project = make_project(Path(name) / "project", REPOSITORY)
        shutil.copy(project.folder / "data/SPI1.bed.gz", project.folder / HOSTILE)
        line = list(project.datasets[1])
        line[0], line[3] = "hostile", HOSTILE
        project.datasets.append(tuple(line))
        result = project.run("results/tiny/sequences/hostile/sequences.safetensors")
        shelled = [str(path) for path in Path(name).rglob("shelled")]
        made = (project.results / "sequences/hostile/sequences.safetensors").exists()
    if shelled:
        return "uncaught", f"started a shell: {shelled}"
    return ("accepted", "") if made else ("uncaught", result.output[-500:])


def main() -> int:
    parser = argparse.ArgumentParser(description="Plan damaged configs with Snakemake.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=40)
    arguments = parser.parse_args()
    with ThreadPoolExecutor(2) as pool:
        numbers = range(arguments.inputs)
        ends = list(pool.map(lambda number: plan(arguments.seed, number), numbers))
    ends.append(run_hostile())
    for number, (_, why) in enumerate(ends):
        if why:
            print(f"whole run {number}: {why}", file=sys.stderr)
    counts = {verdict: sum(v == verdict for v, _ in ends) for verdict in ("accepted", "refused")}
    uncaught = len(ends) - sum(counts.values())
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    print(f"whole runs: {len(ends)} ({told}, {uncaught} uncaught)")
    return int(uncaught > 0)


if __name__ == "__main__":
    sys.exit(main())
