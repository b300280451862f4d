"""Which steps a context gets, what they say of themselves, and what a GPU's need of the machine."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from captured import CountingCapture, make_device_weights
from headstart.engine.device_steps import DeviceSteps
from headstart.engine.host_steps import HostSteps
from headstart.engine.kind import force_device_engine
from headstart.engine.member import Member
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import StepNotes, check_compiler, open_runtime
from headstart.errors import TrainingError
from tiny import make_tiny_context, make_tiny_model, make_tiny_run, make_tiny_weights


def test_a_cpu_makes_steps_on_the_host() -> None:
    weights, run = make_tiny_weights([make_tiny_model()]), make_tiny_run()
    with open_runtime(make_tiny_context()) as runtime:
        steps = runtime.open_steps([], weights, create_optimiser(weights, [run.training]))
        assert isinstance(steps, HostSteps)
        assert runtime.notes == StepNotes()


def test_a_device_makes_its_own_and_gives_back_what_graphs_hold() -> None:
    capture, context = CountingCapture(), make_tiny_context()
    weights = make_device_weights([make_tiny_model()])
    member = Member(make_tiny_run(), np.arange(60))
    with force_device_engine(), open_runtime(context, capture) as runtime:
        steps = runtime.open_steps([member], weights, create_optimiser(weights, [member.run.training]))
        assert isinstance(steps, DeviceSteps)
        assert runtime.notes == StepNotes(), "nothing was captured yet"
        runtime.release_memory()
    assert capture.released == 1


def test_without_a_c_compiler_kernels_are_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(TrainingError, match="no C compiler"):
        check_compiler()
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/gcc" if name == "gcc" else None)
    check_compiler()
