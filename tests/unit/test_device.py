"""A GPU is taken where there is one, bf16 where it is seen to be faster; a study may overrule both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from fake_gpus import fake_gpus, make_gpus
from headstart import device
from headstart.device import choose_device, choose_precision, describe_device, list_gpus
from headstart.errors import ModelError

_CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _forget_the_probe() -> Iterator[None]:
    device._is_faster_in_bf16.cache_clear()
    yield
    device._is_faster_in_bf16.cache_clear()


def _machine(monkeypatch: pytest.MonkeyPatch, *, has: bool, bf16: float) -> list[torch.dtype]:
    """A processor whose products take 1 s in float32 and `bf16` in that; gives what is timed."""
    timed: list[torch.dtype] = []

    def seconds(dtype: torch.dtype) -> float:
        timed.append(dtype)
        return bf16 if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
    monkeypatch.setattr(device, "_time_products", seconds)
    return timed


@pytest.mark.parametrize(("bf16", "chosen"), [(0.5, "bf16"), (0.95, "fp32"), (30.0, "fp32")])
def test_instructions_alone_do_not_decide(monkeypatch: pytest.MonkeyPatch, bf16: float, chosen: str) -> None:
    timed = _machine(monkeypatch, has=True, bf16=bf16)
    assert choose_precision("auto", _CPU) == chosen
    choose_precision("auto", _CPU)
    assert len(timed) == 2, "asked once a process"


def test_a_processor_without_it_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = _machine(monkeypatch, has=False, bf16=0.1)
    assert choose_precision("auto", _CPU) == "fp32"
    assert not timed


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
def test_the_study_may_overrule(monkeypatch: pytest.MonkeyPatch, precision: device.Precision) -> None:
    timed = _machine(monkeypatch, has=True, bf16=0.5)
    assert choose_precision(precision, _CPU) == precision
    assert not timed


def test_the_probe_is_by_one_thread_and_leaves_the_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where it fails."""
    seen: list[int] = []

    def fail(_: torch.dtype) -> float:
        seen.append(torch.get_num_threads())
        raise RuntimeError

    _machine(monkeypatch, has=True, bf16=0.5)
    monkeypatch.setattr(device, "_time_products", fail)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(RuntimeError):
            choose_precision("auto", _CPU)
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


def test_the_real_probe_takes_little_time() -> None:
    assert 0 < device._time_products(torch.float32) < 1
    assert 0 < device._time_products(torch.bfloat16) < 5


# GPUs


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpus(monkeypatch, make_gpus(2))
    assert (choose_device("auto"), choose_device("cuda")) == (torch.device("cuda"),) * 2
    assert (choose_device("cpu"), list_gpus("cpu")) == (_CPU, ())
    assert list_gpus("auto") == make_gpus(2)


def test_without_a_gpu_auto_takes_the_cpu_whatever_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple's GPUs, say."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    fake_gpus(monkeypatch, ())
    assert (choose_device("auto"), list_gpus("auto")) == (_CPU, ())
    with pytest.raises(ModelError, match="cuda requested, but torch finds no CUDA device"):
        choose_device("cuda")


def test_a_gpu_has_its_name_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpus(monkeypatch, make_gpus())
    assert describe_device(torch.device("cuda")) == "cuda: Fake 80"
    assert describe_device(_CPU) == "cpu"
