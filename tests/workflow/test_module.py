"""The workflow as a module of somebody else's, and the example as it comes."""

import csv
import subprocess

import pytest
from projects import copy_tree, make_project, snakemake
from test_changes import imports_by_rule

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


REMOTE = """
configfile: "config.yaml"


module motifloom:
    snakefile:
        github("lab/motifloom", path="workflow/Snakefile", tag="v1.0")
    config:
        config


use rule * from motifloom as motifloom_*
"""


@pytest.fixture
def hosted(tmp_path, source, monkeypatch):
    """The workflow in a repository that git finds behind https://github.com/, and no cache yet.

    Snakemake clones and reads it as it does GitHub's: its own GithubFile, only the address is
    another.
    """
    repository = tmp_path / "hosted/lab/motifloom"
    copy_tree(source, repository)
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "m"],
        ["tag", "v1.0"],
    ):
        subprocess.run(["git", "-C", repository, *arguments], check=True)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/hosted/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return repository


def test_as_a_module_from_github_it_fetches_what_its_jobs_need(tmp_path, source, hosted):
    project = make_project(tmp_path / "work", source)
    project.config["multitask"]["datasets"] = []
    project.save()
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "Snakefile").write_text(REMOTE, encoding="utf-8")
    options = ["--directory", project.folder, "--cores", "2"]
    planned = snakemake(outer / "Snakefile", *options, "--dry-run", "motifloom_all")
    assert planned.returncode == 0, planned.output
    # What the graph of jobs alone has fetched: rules, scripts, the whole library, the page's parts.
    (cache,) = tmp_path.glob(
        "cache/snakemake/**/hosted-git/githubfile/github.com/lab/motifloom/v1.0"
    )
    fetched = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    needed = {f"workflow_scripts/{path.name}" for path in source.glob("workflow_scripts/*.py")}
    needed |= {f"rules/{path.name}" for path in source.glob("rules/*.smk")}
    needed |= {f"workflow_scripts/motifloom/{name}.py" for name in ("__init__", *modules(source))}
    assert needed - fetched == set()
    assert {"report/page.html.jinja", "report/page.css"} <= fetched
    # After which the repository is not needed.
    hosted.rename(hosted.with_name("gone"))
    targets = ["results/tiny/sequences/GATA1/qc.tsv", "results/tiny/genome/chrom.sizes"]
    result = snakemake(outer / "Snakefile", *options, *targets)
    assert result.returncode == 0, result.output
    again = snakemake(outer / "Snakefile", *options, "--dry-run", *targets)
    assert "Nothing to be done" in again.output
    assert list(outer.iterdir()) == [outer / "Snakefile"]


def modules(source):
    """The library modules that some rule's script imports, directly or through others."""
    return set().union(*imports_by_rule(source).values())
