"""docs/reruns.md: each of its rows is what Snakemake plans after that change."""

import re

import pytest
from projects import DATASETS, REPOSITORY, Project, copy_source
from reruns import CHANGES

TEXT = (REPOSITORY / "docs/reruns.md").read_text(encoding="utf-8")
CELLS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines()]
# Rows by the change they are of, and the rules that a word in italics stands for.
ROWS = {cells[0]: cells[1:] for cells in CELLS if len(cells) == 4 and cells[0] in CHANGES}
WORDS = {
    cells[0]: set(re.findall(r"`(\w+)`", cells[1]))
    for cells in CELLS
    if len(cells) == 2 and re.fullmatch(r"\*.+\*", cells[0])
}
LAST = {"write_report", "write_provenance", "all"}
NAMES = [row[0] for row in DATASETS]


def rules_of(cells):
    """The rules that the cells of a row name, those that come last included."""
    text = ", ".join(cells)
    if text == "–, nothing":
        return set()
    words = set().union(*(WORDS[word] for word in re.findall(r"\*[\w ]+\*", text)))
    return words | set(re.findall(r"`(\w+)`", text)) | LAST


def datasets_of(cell, project):
    """The datasets that a row's second cell speaks of."""
    changed = {row[0] for row in project.datasets} - set(NAMES)
    kinds = {
        "–": set(),
        "its own": changed or {"MYC"},
        "all": set(NAMES),
        "peaks": {row[0] for row in DATASETS if row[2] == "peaks"},
        "multitask": set(project.config["multitask"]["datasets"]),
    }
    return kinds[cell]


def test_every_row_is_a_change_and_every_change_a_row():
    listed = [cells[0] for cells in CELLS if len(cells) == 4 and cells[0] not in ("change", "---")]
    assert sorted(listed) == sorted(CHANGES)


def test_every_top_level_key_has_a_row():
    schema = (REPOSITORY / "config/schemas/config.schema.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"^  (\w+):$", schema, re.MULTILINE))
    assert keys == {re.match(r"`(\w+)", row)[1] for row in ROWS if row.startswith("`")}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_runs_what_its_row_says(copy, change):
    CHANGES[change](copy)
    datasets, *cells = ROWS[change]
    result = copy.plan()
    assert result.returncode == 0, result.output
    assert result.rules == rules_of(cells)
    found = {job.split()[-1] for job in result.jobs if " " in job}
    assert found & {*NAMES, "NEW", "MYC_2"} == datasets_of(datasets, copy)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rules/deepbind.smk", "rule train_deepbind:", "# A comment.\nrule train_deepbind:"),
        ("workflow_scripts/motifloom/__init__.py", '__version__ = "', '__version__ = "9.'),
        ("envs/models.yaml", "numpy=", "numpy=9."),
    ],
)
def test_what_changes_no_result_trains_nothing_again(finished, tmp_path, name, old, new):
    edited = copy_source(finished.source, tmp_path / "source")
    path = edited / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = Project(finished.folder, edited).call("--cores", "2", "--dry-run")
    assert result.returncode == 0, result.output
    # The page's template lies with the workflow, which lies elsewhere now.
    assert result.rules <= LAST
