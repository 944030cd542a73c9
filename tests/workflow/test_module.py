"""The workflow as a module of somebody else's, and the example as it comes."""

import csv

from projects import make_project, snakemake

SNAKEFILE = """
configfile: "config.yaml"


module motifloom:
    snakefile:
        "{source}/Snakefile"
    config:
        config


use rule * from motifloom as motifloom_*


rule own:
    default_target: True
    input:
        "results/tiny/sequences/GATA1/qc.tsv",
    output:
        "results/own.tsv",
    shell:
        "cp {{input}} {{output}}"
"""


def test_as_a_module_it_plans_and_runs_in_the_users_folder(tmp_path, source):
    project = make_project(tmp_path / "work", source)
    outer = tmp_path / "outer workflow"
    outer.mkdir()
    (outer / "Snakefile").write_text(SNAKEFILE.format(source=source), encoding="utf-8")
    options = ["--directory", project.folder, "--cores", "2"]
    planned = snakemake(outer / "Snakefile", *options, "--dry-run", "motifloom_all")
    assert planned.returncode == 0, planned.output
    assert "motifloom_train_multitask danq" in planned.jobs
    assert "motifloom_train_deepbind deepbind GATA1" in planned.jobs
    result = snakemake(outer / "Snakefile", *options)
    assert result.returncode == 0, result.output
    assert (project.results / "sequences/GATA1/sequences.safetensors").stat().st_size
    assert (project.folder / "results/own.tsv").read_text().startswith("stage\tcount\tnote\n")
    assert (project.logs / "extract_windows/GATA1.log").exists()
    assert list(outer.iterdir()) == [outer / "Snakefile"]


def test_the_built_in_example_is_planned_without_any_option(source):
    result = snakemake(source / "Snakefile", "--dry-run")
    assert result.returncode == 0, result.output
    with open(source / "config/datasets.tsv", encoding="utf-8", newline="") as stream:
        names = [row["dataset"] for row in csv.DictReader(stream, delimiter="\t")]
    assert "simulate_example" in result.jobs
    assert {f"train_deepbind deepbind {name}" for name in names} <= result.jobs
