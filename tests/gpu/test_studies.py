"""Whole studies on a GPU: every method and task, captured, with the host's numbers, twice the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from device_studies import (
    STUDIES,
    assert_all_done,
    assert_equal_studies,
    copy_checkpoint,
    find_gaps,
    make_arms,
    make_tiny_llama,
    own_cache,
    run_elsewhere,
    run_on_host,
    run_study,
    write_study,
)
from headstart.cli import main

pytest.importorskip("peft")
Checkpoint = Callable[[str, float], Path]
#: Left out where a CPU rehearses; `tests/contract/test_device_engine.py` has the like on it each time.
_LONG = pytest.mark.long


@pytest.fixture
def checkpoint(tiny_model: Path, tiny_bloom: Path, tmp_path: Path) -> Checkpoint:
    """A tiny checkpoint of that family, with a share of dropout."""

    def copy(family: str, dropout: float) -> Path:
        folder = tmp_path / family
        if family == "llama":
            return make_tiny_llama(tiny_bloom, folder, dropout)
        return copy_checkpoint({"bert": tiny_model, "bloom": tiny_bloom}[family], folder, dropout)

    return copy


def _find_family(name: str) -> str:
    return "bloom" if name.startswith("instruction") else "bert"


@pytest.mark.parametrize(
    "name", [*(pytest.param(name, marks=_LONG) for name in STUDIES if name != "instruction"), "instruction"]
)
def test_without_dropout_the_numbers_are_those_of_the_host(
    name: str, checkpoint: Checkpoint, device: torch.device, tmp_path: Path
) -> None:
    """In float64; but for a base in four bits, whose products are in float32 and round otherwise."""
    model, training = checkpoint(_find_family(name), 0.0), {"precision": "fp64"}
    with own_cache(tmp_path / "host-cache"):
        expected = run_on_host(write_study(tmp_path / "host", name, model, training=training))
    with own_cache(tmp_path / "cache"):
        file = write_study(tmp_path / "it", name, model, training=training, device=device.type)
        done = run_study(file, device)
    assert_all_done(done, name)
    gaps = find_gaps(done, expected)
    assert {key: gap for key, gap in gaps.items() if gap > 1e-6 and "qlora" not in key} == {}, name


@pytest.mark.parametrize(
    ("name", "family", "precision"),
    [
        pytest.param("classification", "bert", "bf16", marks=_LONG),
        pytest.param("classification", "bert", "fp32", marks=_LONG),
        pytest.param("multi-label", "bert", "bf16", marks=_LONG),
        pytest.param("instruction", "bloom", "bf16", marks=_LONG),
        pytest.param("instruction", "llama", "fp32", marks=_LONG),
        ("instruction, packed", "llama", "bf16"),
    ],
)
def test_a_study_twice_gives_the_same_bits(
    name: str, family: str, precision: str, checkpoint: Checkpoint, device: torch.device, tmp_path: Path
) -> None:
    model, changes = checkpoint(family, 0.1), _make_changes(name, precision, device)
    first, second = (
        run_study(write_study(tmp_path / folder, name, model, **changes), device) for folder in ("one", "two")
    )
    where = f"{name}, {family} in {precision}"
    assert_all_done(first, where)
    assert_equal_studies(first, second, where)
    assert first.read_columns("full/all/0") != first.read_columns("full/all/1"), where


def _make_changes(name: str, precision: str, device: torch.device) -> dict[str, Any]:
    """The study's own arms, adapters with dropout, in that precision on that device."""
    changes: dict[str, Any] = {"training": {"precision": precision}, "device": device.type}
    if "arms" in STUDIES[name] and name != "multi-label":
        kind = "conversations" if name.startswith("instruction") else "labels"
        changes["arms"] = make_arms(kind, dropout=0.1, random=kind == "labels")
    return changes


@pytest.mark.parametrize("name", ["classification", "instruction"])
def test_a_worker_gives_the_bits_of_this_process(
    name: str, checkpoint: Checkpoint, gpu: torch.device, tmp_path: Path
) -> None:
    model, changes = checkpoint(_find_family(name), 0.1), _make_changes(name, "bf16", gpu)
    here = run_study(write_study(tmp_path / "here", name, model, **changes), gpu)
    there = run_study(write_study(tmp_path / "there", name, model, workers=1, **changes), gpu)
    assert_all_done(there, name)
    assert not there.notes, "nothing trained here"
    assert_equal_studies(here, there, name)


def test_the_record_of_a_worker_says_that_steps_were_captured(
    checkpoint: Checkpoint, gpu: torch.device, tmp_path: Path
) -> None:
    model, changes = checkpoint("bert", 0.1), _make_changes("regression", "bf16", gpu)
    done = run_study(write_study(tmp_path / "it", "regression", model, workers=1, **changes), gpu)
    assert_all_done(done, "regression")
    said = {record.execution.captured for record in done.records.values() if record.execution}
    assert said == {True}


@_LONG
def test_a_study_that_is_killed_resumes_to_the_bit(
    checkpoint: Checkpoint, device: torch.device, tmp_path: Path
) -> None:
    name, model = "classification", checkpoint("bert", 0.2)
    changes = _make_changes(name, "bf16", device) | {
        "arms": {"full": {}, "random": {"init": "random"}, "words": None}
    }
    changes["training"] |= {"epochs": 3}
    whole = run_study(write_study(tmp_path / "whole", name, model, **changes), device)
    file = write_study(tmp_path / "killed", name, model, **changes)
    killed = run_elsewhere(file, device, killed_at=3)
    assert not killed.records
    assert len(list(killed.out.glob("runs/*/*/*/checkpoint/state.safetensors"))) == 4
    resumed = run_study(file, device)
    assert_all_done(resumed, name)
    assert_equal_studies(resumed, whole, name)


@pytest.mark.parametrize("family", ["bloom", pytest.param("llama", marks=_LONG)])
def test_a_tuned_model_is_asked(
    family: str,
    checkpoint: Checkpoint,
    device: torch.device,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, changes = checkpoint(family, 0.1), _make_changes("instruction", "bf16", device)
    done = run_study(write_study(tmp_path / "it", "instruction", model, **changes, seeds=1), device)
    assert_all_done(done, family)
    assert all(record.samples for record in done.records.values())
    capsys.readouterr()
    for arm in ("full", "lora"):
        folder = str(done.out / "models" / arm)
        assert main(["generate", folder, "say a 7", "--max-new-tokens", "4"]) == 0, (family, arm)
