"""What the workflow tests share: the workflow's copy, new projects and a finished run.

The workflow itself is copied once a session, so that an edit of the repository during the tests
changes nothing, and a test may edit a copy of its own. With several test processes (pytest-xdist)
the first one that needs the finished run makes it and the others wait.
"""

from pathlib import Path

import pytest
from projects import REPOSITORY, Project, copy_source, copy_tree, make_project, once


def pytest_collection_modifyitems(items):
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Path:
    """The workflow as it stood when the tests began."""
    return once(tmp_path_factory, "source", lambda folder: copy_source(REPOSITORY, folder))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, source) -> Project:
    """A project whose run has ended; tests only read it."""

    def make(folder: Path) -> None:
        result = make_project(folder, source).run(hash_seed=1)
        (folder / "output.txt").write_text(result.output, encoding="utf-8")
        assert result.returncode == 0, result.output

    return Project(once(tmp_path_factory, "a finished (run)", make), source)


@pytest.fixture
def project(tmp_path, source) -> Project:
    """A new project that a test may change."""
    return make_project(tmp_path / "project", source)


@pytest.fixture
def copy(tmp_path, finished) -> Project:
    """A copy of the finished project that a test may change."""
    return Project(copy_tree(finished.folder, tmp_path / "copy"), finished.source)
