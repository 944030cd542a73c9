"""What provenance.json lists, against what Snakemake says that it makes."""

import itertools
import json
import re

from projects import snakemake

# The workflow, and what it holds to be the files of a run, written down while it is read.
SNAKEFILE = """
include: "{source}/Snakefile"


import json

with open("made.json", "w") as stream:
    json.dump([(names, [*map(list, values.items())]) for names, values in made_files()], stream,
              default=list)
"""


def everything(project):
    """Whatever can be asked for, asked for."""
    (project.folder / "mine.fa").write_text(">one\nACGTACGTACGTACGTACGTACGT\n", encoding="ascii")
    for name in ("mine.vcf", "mine.bed"):  # which a dry run does not read
        (project.folder / name).touch()
    project.config |= {
        "cross_validation": {"folds": 3},
        "baselines": {"lsgkm": True},
        "attribution": {"modisco": True},
        "share": {"onnx": True},
        "score": {"mine": "mine.fa"},
        "variants": {"files": {"mine": "mine.vcf"}, "models": ["deepbind", "danq"]},
        "regions": {"mine": {"bed": "mine.bed", "variants": "mine.vcf", "mutagenesis": True}},
    }
    project.config["evaluation"]["learning_curve"] = [0.5, 0.25]
    project.config["models"] |= {
        "deepbind": ["deepbind", "deepbind-lecture"],
        "multitask": ["danq", "cnn"],
        "windows": ["resnet"],
    }
    project.config["tracks"] = {"models": ["deepbind", "danq"]}


def made_and_planned(project, tmp_path, target="all"):
    """Files that provenance would list, and those of the jobs of a dry run, below results/."""
    project.save()
    outer = tmp_path / "Snakefile"
    outer.write_text(SNAKEFILE.format(source=project.source), encoding="utf-8")
    options = ["--directory", project.folder, "--configfile", project.folder / "config.yaml"]
    result = snakemake(outer, *options, "--cores", "2", "--dry-run", target)
    assert result.returncode == 0, result.output
    made = set()
    for names, values in json.loads((project.folder / "made.json").read_text()):
        keys = [key for key, _ in values]
        for combination in itertools.product(*(listed for _, listed in values)):
            filled = dict(zip(keys, combination, strict=True))
            made |= {name.format(**filled) for name in names}
    lines = re.findall(r"^    output: (.*)$", result.output, re.MULTILINE)
    planned = {name for line in lines for name in line.split(", ")}
    planned -= {"results/tiny/provenance.json", "results/tiny/checksums.sha256"}
    # Kept only until the tracks are written.
    planned = {name for name in planned if "/parts/" not in name}
    return [{name for name in names if name.startswith("results/")} for names in (made, planned)]


def test_all_that_a_run_makes_is_listed(project, tmp_path):
    everything(project)
    made, planned = made_and_planned(project, tmp_path)
    assert made - planned == set()
    assert planned - made == set()
    assert len(planned) > 500


def test_it_waits_for_all_that_it_lists(project, tmp_path):
    everything(project)
    made, planned = made_and_planned(project, tmp_path, "results/tiny/provenance.json")
    assert made == planned


def test_without_peaks_little_is_made(project, tmp_path):
    project.datasets = [row for row in project.datasets if row[2] == "sequences"]
    project.config["multitask"]["datasets"] = []
    made, planned = made_and_planned(project, tmp_path)
    assert made == planned
