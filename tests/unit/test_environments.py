"""The conda environments: in step with the pins for pip, and complete for every rule's script."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "workflow_scripts"
# Where conda's name, or the name that Python imports, is not pip's.
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib", "python-isal": "isal"}
IMPORT_NAMES = {
    "sklearn": "scikit-learn",
    "modiscolite": "modisco-lite",
    "Bio": "biopython",
    "yaml": "pyyaml",
    "lightning_fabric": "lightning-fabric",
    "vl_convert": "vl-convert-python",
}
# Programs that conda alone installs; the library starts them and imports nothing of them.
PROGRAMS = {"ls-gkm"}
ENVIRONMENTS = sorted(path.name for path in (REPOSITORY / "envs").glob("*.yaml"))


def environment(name):
    """Versions by pip's package name of one environment, and python's and pip's own."""
    content = yaml.safe_load((REPOSITORY / "envs" / name).read_text(encoding="utf-8"))
    found = {}
    for entry in content["dependencies"]:
        specs = entry["pip"] if isinstance(entry, dict) else [entry]
        for spec in specs:
            package, _, version = re.sub("=+", "=", spec).partition("=")
            found[CONDA_NAMES.get(package, package).lower()] = version
    return found


def requirements():
    """Versions by package name of envs/requirements.txt."""
    lines = (REPOSITORY / "envs/requirements.txt").read_text(encoding="utf-8").splitlines()
    specs = [line.partition("#")[0].strip() for line in lines]
    pinned = [spec.partition("==") for spec in specs if spec]
    return {package.lower(): version for package, _, version in pinned}


def rules():
    """(rule, script, environment) of every rule with a script; environment "" where unset."""
    found = []
    for path in sorted((REPOSITORY / "rules").glob("*.smk")):
        blocks = re.split(r"^(?:rule|checkpoint) (\w+):$", path.read_text(), flags=re.MULTILINE)
        for name, block in zip(blocks[1::2], blocks[2::2], strict=True):
            script = re.search(r'"\.\./workflow_scripts/(\w+\.py)"', block)
            conda = re.search(r'conda:\s+"\.\./envs/([\w.-]+)"', block)
            if script:
                found.append((name, script[1], conda[1] if conda else ""))
    return found


def imports(path):
    """(own modules, third-party packages) that a source file imports anywhere in it."""
    own, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "motifloom":
            own |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("motifloom."):
            own.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.partition(".")[0])
    return own, others - sys.stdlib_module_names - {"motifloom"}


@cache
def needed(script):
    """Packages, by pip's name, that a script and the library modules behind it import."""
    own, packages = imports(SCRIPTS / script)
    waiting, seen = sorted(own), set()
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            own, others = imports(SCRIPTS / "motifloom" / f"{module}.py")
            waiting += sorted(own)
            packages |= others
    return {IMPORT_NAMES.get(package, package).lower() for package in packages}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_and_pip_pin_the_same_versions(name):
    pinned = requirements()
    packages = environment(name)
    assert packages.pop("python").startswith("3.")
    packages.pop("pip", None)
    programs = {name: packages.pop(name) for name in PROGRAMS & packages.keys()}
    assert all(programs.values())
    assert packages == {package: pinned.get(package) for package in packages}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_bioconda_comes_after_conda_forge(name):
    content = yaml.safe_load((REPOSITORY / "envs" / name).read_text(encoding="utf-8"))
    assert content["channels"][:2] == ["conda-forge", "bioconda"]


def test_every_requirement_is_pinned():
    assert {package for package, version in requirements().items() if not version} == set()


def test_every_script_belongs_to_a_rule():
    used = {script for _, script, _ in rules()}
    assert used == {path.name for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize(("rule", "script", "name"), rules())
def test_a_rules_environment_has_what_its_script_imports(rule, script, name):
    assert name in ENVIRONMENTS
    assert needed(script) - environment(name).keys() == set()


def test_programs_that_conda_installs_are_not_asked_of_pip():
    assert not PROGRAMS & requirements().keys()


def test_requirements_cover_every_import_of_the_library():
    imported = {package for _, script, _ in rules() for package in needed(script)}
    assert imported - requirements().keys() == set()
