"""Memory is what the machine has, or less where a container's control groups say so."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from headstart import cgroups
from headstart.machine_memory import measure_free_memory, measure_memory_limit


def _write_group(folder: Path, names: tuple[str, str], limit: str, used: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((*names, "memory.stat"), (limit, str(used), stat), strict=True):
        (folder / name).write_text(text + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "where", "names"),
    [
        ("0::/a/b", "a", ("memory.max", "memory.current")),
        ("4:memory:/a/b", "memory/a", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ],
)
def test_a_containers_limit_counts_whatever_the_machine_has(
    line: str, where: str, names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the group above, the process's own has none; files that are cached are given back for the asking."""
    (tmp_path / "cgroup").write_text(f"3:cpu:/x\n{line}\n", encoding="utf-8")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "cgroup")
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    _write_group(
        tmp_path / where,
        names,
        "1000000",
        600_000,
        "anon 5\ninactive_file 200000\ntotal_inactive_file 200000",
    )
    _write_group(tmp_path / where / "b", names, "max", 600_000, "")
    assert measure_memory_limit() == 1_000_000
    assert measure_free_memory() == 600_000


def test_without_groups_it_is_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "absent")
    assert measure_memory_limit() <= psutil.virtual_memory().total + psutil.swap_memory().total
