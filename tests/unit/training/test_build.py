"""What the engine is told of a study: device, formats, and what a GPU may do with its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fake_gpus import fake_gpus, make_gpus
from headstart import load_study
from headstart.config.runs import expand_runs
from headstart.engine.member import PackContext
from headstart.training.build import make_context
from headstart.training.prepare import prepare_study

StudyFile = Callable[..., Path]


@pytest.fixture
def context(study_file: StudyFile) -> Callable[..., PackContext]:
    def make(**changes: object) -> PackContext:
        study = load_study(study_file(**changes))
        runs = expand_runs(study)
        return make_context(prepare_study(study, runs).select(runs[0]))

    return make


def test_on_a_gpu_steps_are_compiled_and_captured_as_the_study_says(
    context: Callable[..., PackContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus(monkeypatch, make_gpus())
    usual = context(device="auto")
    assert (usual.device.type, usual.compiles, usual.captures) == ("cuda", "auto", "auto")
    asked = context(device="cuda", execution={"compile": "on", "graph": "off"})
    assert (asked.compiles, asked.captures) == ("on", "off")


def test_on_a_cpu_nothing_is_compiled_or_captured(context: Callable[..., PackContext]) -> None:
    asked = context(device="cpu", execution={"compile": "on"})
    assert (asked.device.type, asked.compiles, asked.captures) == ("cpu", "off", "off")
