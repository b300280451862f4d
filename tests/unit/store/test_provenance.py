"""What made a run is asked of the system and of git, and of packages without importing them."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from headstart.records import CheckpointDigest
from headstart.store import provenance as module
from headstart.store.provenance import collect_provenance, describe_processor, read_git_commit


def test_versions_are_those_installed() -> None:
    source = CheckpointDigest(digest="c", files={"config.json": "1"})
    record = collect_provenance(data="d", checkpoint=source, commit="abc")
    assert record.checkpoint_files == source.files
    assert (record.torch, record.numpy) == (version("torch"), version("numpy"))
    assert (record.python, record.processor) == (platform.python_version(), describe_processor())
    assert (record.data_digest, record.checkpoint_digest, record.commit) == ("d", "c", "abc")


def test_package_that_is_not_there_is_said_so() -> None:
    assert module.read_version("no-such-package") == "not installed"


def run_git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    ended = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    run_git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a")
    run_git(tmp_path, "add", "a.txt")
    run_git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_commit_is_the_repositorys(repository: Path) -> None:
    (repository / "untracked.txt").write_text("b")
    assert read_git_commit(repository) == run_git(repository, "rev-parse", "HEAD")


def test_commit_with_changes_has_a_plus(repository: Path) -> None:
    (repository / "a.txt").write_text("changed")
    assert read_git_commit(repository) == run_git(repository, "rev-parse", "HEAD") + "+"


def test_folder_without_a_repository_has_no_commit(tmp_path: Path) -> None:
    assert read_git_commit(tmp_path) is None


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_git_commit(repository) is None
