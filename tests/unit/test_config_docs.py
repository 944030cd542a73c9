"""config/README.md names every key and column, with the defaults that the schemas set."""

import re
from pathlib import Path

import pytest
import yaml
from snakemake.utils import validate

CONFIG = Path(__file__).parents[2] / "config"
TABLES = {
    "datasets.tsv": "datasets.schema.yaml",
    "downloads.tsv": "downloads.schema.yaml",
}


def schema(name):
    return yaml.safe_load((CONFIG / "schemas" / name).read_text(encoding="utf-8"))


def leaves(node, prefix=()):
    """(key path, schema) of every key that is no section."""
    for key, value in node["properties"].items():
        if "properties" in value:
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def documented():
    """Rows of the README's tables: section -> first cell -> cells."""
    sections, rows = {}, {}
    for line in (CONFIG / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            rows = sections.setdefault(line.removeprefix("## "), {})
        elif match := re.match(r"\| `([^`]+)` \|", line):
            rows[match[1]] = [cell.strip() for cell in line.strip("|").split(" | ")]
    return sections


KEYS = {": ".join(path): node for path, node in leaves(schema("config.schema.yaml"))}
REQUIRED = schema("config.schema.yaml")["required"]


@pytest.mark.parametrize("key", KEYS)
def test_key_is_explained_with_its_default(key):
    cells = documented()["config.yaml"][key]
    assert len(cells) == 4
    expected = "required" if key in REQUIRED else KEYS[key]["default"]
    assert yaml.safe_load(cells[2].strip("`")) == expected
    allowed = KEYS[key].get("enum") or KEYS[key].get("items", {}).get("enum", [])
    assert all(f"`{value}`" in " ".join(cells) for value in allowed)


def test_no_key_is_explained_that_is_none():
    assert set(documented()["config.yaml"]) == set(KEYS)


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_explained(table):
    columns = schema(TABLES[table])["properties"]
    rows = documented()[table]
    assert list(rows) == list(columns)
    for name, cells in rows.items():
        assert len(cells) == 5
        assert all(f"`{value}`" in cells[1] for value in columns[name].get("enum", []))


def test_alias_columns_are_explained():
    header = (CONFIG / "yeast/aliases.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert list(documented()["Chromosome aliases"]) == header.split("\t")


def test_the_small_config_is_valid():
    text = (CONFIG / "README.md").read_text(encoding="utf-8")
    example = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    validate(example, str(CONFIG / "schemas/config.schema.yaml"))
    assert example["windows"]["length"] == 101
