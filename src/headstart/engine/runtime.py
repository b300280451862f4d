"""Chooses how the packs of a training make their steps, on the host or on a device; says how they did."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch

from headstart import cuda
from headstart.engine.compiling import Compiler, compile_module
from headstart.engine.device_steps import DeviceStage, DeviceSteps
from headstart.engine.graphs import Capture, Capturing, CudaCapture
from headstart.engine.group_steps import GroupSteps
from headstart.engine.host_steps import HostSteps
from headstart.engine.kind import uses_device_engine
from headstart.engine.member import Member, PackContext
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.steps import Steps
from headstart.engine.weights import Weights
from headstart.errors import TrainingError


@dataclass(frozen=True)
class StepNotes:
    """How a device made steps: as CUDA graphs, and compiled; where that was to be and was not, why."""

    captured: bool = False
    compiled: bool = False
    eager_reason: str | None = None


class Runtime(Protocol):
    """Opens steps of packs, for as long as a training lasts."""

    @property
    def notes(self) -> StepNotes:
        """How steps were made so far."""

    def open_steps(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> Steps:
        """Steps of these members, whose i-th has row i of the weights and of the optimiser."""

    def release_memory(self) -> None:
        """Give back what steps that nobody makes any more have left on the device."""


class _HostRuntime:
    """Steps that the host makes."""

    notes = StepNotes()

    def __init__(self, context: PackContext) -> None:
        self._context = context

    def open_steps(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> HostSteps:
        """As `Runtime`."""
        if self._context.group is not None:
            return GroupSteps(members, weights, optimiser, self._context, self._context.group)
        return HostSteps(members, weights, optimiser, self._context)

    def release_memory(self) -> None:
        """Nothing: a CPU's memory is free when its objects are."""


class _DeviceRuntime:
    """Steps on a device, captured by `capture` if there is one."""

    def __init__(self, context: PackContext, capture: Capture | None, compiler: Compiler) -> None:
        self._stage = DeviceStage(context, Capturing(capture), compiler)

    @property
    def notes(self) -> StepNotes:
        """As `Runtime`."""
        capturing, forward = self._stage.capturing, self._stage.forward
        compiled = forward is not None and forward.is_compiled
        reasons = [capturing.reason, forward.reason if forward else None]
        return StepNotes(capturing.works, compiled, "; ".join(filter(None, reasons)) or None)

    def open_steps(self, members: Sequence[Member], weights: Weights, optimiser: Optimiser) -> DeviceSteps:
        """As `Runtime`."""
        assert isinstance(optimiser, BatchedAdamW)
        return DeviceSteps(members, weights, optimiser, self._stage)

    def release_memory(self) -> None:
        """As `Runtime`."""
        if self._stage.capturing.capture is not None:
            self._stage.capturing.capture.release_memory()
        cuda.release_memory()


@contextmanager
def open_runtime(
    context: PackContext, capture: Capture | None = None, compiler: Compiler = compile_module
) -> Iterator[Runtime]:
    """The runtime for the context's device; what is computed inside the block is computed on its stream.

    Args:
        capture: instead of CUDA's own.
    """
    if not uses_device_engine(context.device):
        yield _HostRuntime(context)
        return
    with open_capture(context.device, capture, wanted=context.captures == "auto") as chosen:
        yield _DeviceRuntime(context, chosen, compiler)


@contextmanager
def open_capture(
    device: torch.device, capture: Capture | None = None, *, wanted: bool = True
) -> Iterator[Capture | None]:
    """What captures on a device, None where nothing is to be captured; what is computed inside the block is
    computed on a stream on which that can be.

    Args:
        capture: instead of CUDA's own.
        wanted: False where CUDA's own is not to be used.
    """
    if device.type != "cuda":
        yield capture
        return
    check_compiler()
    if capture is None and wanted:
        capture = CudaCapture()
    with _side_stream(device):
        yield capture


def check_compiler() -> None:
    """Triton compiles a small launcher in C for each kernel.

    Raises:
        TrainingError: there is nothing to compile it with.
    """
    if not any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang"))):
        raise TrainingError(
            "no C compiler, which Triton needs for kernels on a GPU",
            expected="gcc or clang on the path, with Python's headers",
            fix="install gcc, or set device: cpu",
        )


@contextmanager
def _side_stream(device: torch.device) -> Iterator[None]:
    """Another stream than the default one, on which nothing can be captured."""
    cuda.release_memory()  # what making the models has left belongs to the stream before
    before, stream = torch.cuda.current_stream(device), _get_stream(torch.cuda.current_device())
    stream.wait_stream(before)
    with torch.cuda.stream(stream):
        try:
            yield
        finally:
            before.wait_stream(stream)


@cache
def _get_stream(gpu: int) -> torch.cuda.Stream:
    """One for all packs: libraries keep memory for each stream that they have met."""
    return torch.cuda.Stream(gpu)  # type: ignore[no-untyped-call]
