"""A container's limits are read from the files of control groups: both versions, the outer groups' too."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from headstart import cgroups
from headstart.cgroups import read_cpu_quota, read_free_memory
from headstart.machine_memory import measure_free_memory
from headstart.processors import count_processors, count_threads, share_processors

GIB = 1 << 30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of groups of the test's own, and a machine of eight processors."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "groups")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path / "groups"


def enter(root: Path, *lines: str) -> None:
    root.parent.joinpath("own").write_text("\n".join(lines) + "\n")


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_without_groups_nothing_is_limited(root: Path) -> None:
    assert (read_cpu_quota(), read_free_memory(), count_processors()) == (None, None, 8)


@pytest.mark.parametrize(
    ("own", "outer", "processors"),
    [
        ("max 100000", "max 100000", 8),
        ("300000 100000", "max 100000", 3),
        ("800000 100000", "250000 100000", 2),
        ("50000 100000", "max 100000", 1),
        ("nonsense", "", 8),
    ],
)
def test_quota_of_version_2_with_that_of_the_outer_group(
    root: Path, own: str, outer: str, processors: int
) -> None:
    enter(root, "0::/outer/own")
    put(root / "outer", cpu__max=outer)
    put(root / "outer" / "own", cpu__max=own)
    assert count_processors() == processors


@pytest.mark.parametrize(("quota", "processors"), [("-1", 8), ("400000", 4)])
def test_quota_of_version_1(root: Path, quota: str, processors: int) -> None:
    enter(root, "4:memory:/x", "3:cpu,cpuacct:/own", "0::/")
    put(root / "cpu,cpuacct" / "own", cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    assert count_processors() == processors


def test_a_container_sees_its_own_group_as_the_outermost(root: Path) -> None:
    put(root, cpu__max="200000 100000")
    put(root.parent / "else", cpu__max="100000 100000")
    for own in ("0::/kubepods/abc", "0::/../else"):  # a path that leads out is not followed
        enter(root, own, "1:cpu:/docker/abc")
        assert count_processors() == 2


def test_workers_and_threads_stay_within_the_quota(root: Path) -> None:
    enter(root, "0::/")
    put(root, cpu__max="400000 100000")
    assert [count_threads(workers) for workers in (1, 2, 3, 8)] == [4, 2, 1, 1]
    assert share_processors(0, 2) == tuple(range(8))  # which of them are used is the system's affair


@pytest.mark.parametrize(
    ("asked", "threads"), [("1", 1), ("2,4", 2), ("64", 8), ("0", 8), ("x", 8), ("", 8), ("9" * 30, 8)]
)
def test_asked_threads_are_heeded(
    root: Path, monkeypatch: pytest.MonkeyPatch, asked: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert count_threads(1) == threads


def test_free_memory_is_the_least_of_all_groups_and_the_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=4 * GIB))
    enter(root, "0::/outer/own")
    put(root / "outer" / "own", memory__max="max", memory__current=str(GIB))
    assert measure_free_memory() == 4 * GIB
    stat = f"anon 1\ninactive_file {GIB // 2}"
    put(root / "outer", memory__max=str(3 * GIB), memory__current=str(2 * GIB), memory__stat=stat)
    assert measure_free_memory() == 3 * GIB // 2
    put(root / "outer" / "own", memory__max=str(GIB), memory__current=str(2 * GIB))
    assert measure_free_memory() == 0


@pytest.mark.parametrize(("limit", "free"), [(9223372036854771712, 4 * GIB), (2 * GIB, GIB)])
def test_free_memory_of_version_1(root: Path, monkeypatch: pytest.MonkeyPatch, limit: int, free: int) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=4 * GIB))
    enter(root, "4:memory:/x")
    put(root / "memory" / "x", memory__limit_in_bytes=str(limit), memory__usage_in_bytes=str(GIB))
    assert measure_free_memory() == free
