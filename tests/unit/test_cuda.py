"""What is asked about GPUs, against a torch and a driver's library that are made up."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from headstart import cuda

GIB = 2**30


class _Library:
    """The driver's library: it knows GPUs by their names, and how much of each is free."""

    def __init__(self, free: dict[str, int], starts: bool = True) -> None:
        self.free, self.starts, self.open = free, starts, 0
        self._asked = ""

    def nvmlInit_v2(self) -> int:  # noqa: N802 - the library's name
        self.open += self.starts
        return 0 if self.starts else 9

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.open -= 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:  # noqa: N802
        self._asked = uuid.decode()
        return 0 if self._asked in self.free else 6

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:  # noqa: N802
        memory._obj.free = self.free[self._asked]
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, count: Any) -> int:  # noqa: N802
        count._obj.value = 1_500
        return 0


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two GPUs that torch sees; gives those for which a context was made."""
    contexts: list[int] = []

    def measure(index: int) -> tuple[int, int]:
        contexts.append(index)
        return 5 * GIB, 80 * GIB

    def describe(index: int) -> SimpleNamespace:
        return SimpleNamespace(name=f"Fake {index}", total_memory=80 * GIB, uuid=f"u{index}")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", describe)
    monkeypatch.setattr(torch.cuda, "mem_get_info", measure)
    return contexts


def test_free_memory_is_the_drivers_and_costs_no_context(
    two_gpus: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = _Library({"GPU-u0": 70 * GIB, "GPU-u1": 81 * GIB})
    monkeypatch.setattr(cuda, "_load_nvml", lambda: library)
    gpus = cuda.list_gpus()
    assert [gpu.name for gpu in gpus] == ["Fake 0", "Fake 1"]
    assert [gpu.free_bytes // GIB for gpu in gpus] == [70, 80], "never more than torch can have"
    assert (two_gpus, library.open) == ([], 0)


@pytest.mark.parametrize("library", [None, _Library({}, starts=False), _Library({})])
def test_where_the_driver_does_not_tell_cuda_is_asked(
    two_gpus: list[int], monkeypatch: pytest.MonkeyPatch, library: _Library | None
) -> None:
    monkeypatch.setattr(cuda, "_load_nvml", lambda: library)
    assert [gpu.free_bytes // GIB for gpu in cuda.list_gpus()] == [5, 5]
    assert two_gpus == [0, 1]
    assert library is None or library.open == 0


def test_a_driver_that_torch_cannot_use_counts_none(
    two_gpus: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (cuda.count_gpus(), cuda.list_gpus()) == (0, ())


def test_peaks_begin_anew_without_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("empty"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: done.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    cuda.start_peak_memory()
    assert done == ["empty", "reset"]
    assert cuda.read_peak_memory() == 3 * GIB
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 0)
    assert cuda.read_peak_memory() is None, "a bag of words beside others on a GPU"


def test_without_cuda_there_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    cuda.start_peak_memory()
    assert cuda.read_peak_memory() is None


#: Ends with what was asked of CUDA while the module was imported.
_WATCH = """
import sys, torch, torch.cuda
asked = []
names = "_lazy_init is_available device_count current_device get_device_properties is_bf16_supported"
for name in names.split():
    setattr(torch.cuda, name, lambda *_, name=name, **__: asked.append(name) or 0)
import headstart.execute.worker
sys.exit(", ".join(asked) or 0)
"""


def test_what_the_fork_server_loads_asks_nothing_of_cuda() -> None:
    """A process that has asked cannot be forked into one that computes on a GPU."""
    done = subprocess.run([sys.executable, "-c", _WATCH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_energy_of_the_gpu_in_use_is_the_drivers(
    two_gpus: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(cuda, "_load_nvml", lambda: _Library({"GPU-u1": 0}))
    assert cuda.read_joules() == 1.5
    for library in (None, _Library({"GPU-u0": 0}), _Library({}, starts=False)):
        monkeypatch.setattr(cuda, "_load_nvml", lambda library=library: library)
        assert cuda.read_joules() is None
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert cuda.read_joules() is None
