"""Whole studies by the device's engine on the CPU: every method and task, the numbers of the host's engine.

`tests/gpu` runs the same studies, and the same packs, on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device_packs import (
    CPU,
    EVEN,
    Setting,
    Trained,
    assert_captured,
    assert_near,
    assert_same_bits,
)
from device_studies import (
    STUDIES,
    Done,
    assert_all_done,
    assert_equal_studies,
    copy_checkpoint,
    find_gaps,
    make_arms,
    own_cache,
    run_elsewhere,
    run_on_host,
    run_study,
    write_study,
)

pytest.importorskip("peft")
Checkpoint = Callable[[str, float], Path]


@pytest.fixture
def checkpoint(tiny_model: Path, tiny_bloom: Path, tmp_path: Path) -> Checkpoint:
    """A tiny checkpoint for a study of that name, with a share of dropout."""

    def copy(name: str, dropout: float) -> Path:
        model = tiny_bloom if name.startswith("instruction") else tiny_model
        return copy_checkpoint(model, tmp_path / "model", dropout)

    return copy


def _find_pack_sizes(done: Done) -> set[int]:
    return {record.execution.pack_size for record in done.records.values() if record.execution}


@pytest.mark.parametrize(
    ("name", "seeds", "packs", "largest"),
    [
        ("classification", 2, (6, 1), 4),
        pytest.param("multi-label", 2, (6,), 6, marks=pytest.mark.long),
        pytest.param("regression", 2, (1,), 1, marks=pytest.mark.long),
        pytest.param("instruction", 1, (6,), 2, marks=pytest.mark.long),
        pytest.param("instruction, packed", 2, (6, 1), 2, marks=pytest.mark.long),
    ],
)
def test_without_dropout_the_numbers_are_those_of_the_host(
    name: str, seeds: int, packs: tuple[int, ...], largest: int, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    model = checkpoint(name, 0.0)
    with own_cache(tmp_path / "host-cache"):
        expected = run_on_host(write_study(tmp_path / "host", name, model, pack=1, seeds=seeds))
    assert_all_done(expected, name)
    for pack in packs:
        with own_cache(tmp_path / f"cache-{pack}"):
            done = run_study(write_study(tmp_path / str(pack), name, model, pack=pack, seeds=seeds), CPU)
        assert_all_done(done, name)
        assert max(_find_pack_sizes(done)) == (1 if pack == 1 else largest)
        gaps = find_gaps(done, expected)
        assert {key: gap for key, gap in gaps.items() if gap > 1e-6} == {}, (name, pack)


@pytest.mark.parametrize(
    ("name", "precision"),
    [("classification", "bf16"), pytest.param("instruction", "fp32", marks=pytest.mark.long)],
)
def test_with_dropout_a_study_gives_the_same_bits_twice_and_another_seed_others(
    name: str, precision: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    model, training = checkpoint(name, 0.2), {"precision": precision}
    arms = {"full": {}, "lora": make_arms("labels", dropout=0.2)["lora"], "words": None}
    first, second = (
        run_study(write_study(tmp_path / folder, name, model, arms=arms, training=training), CPU)
        for folder in ("one", "two")
    )
    assert_all_done(first, name)
    assert_equal_studies(first, second, name)
    for arm in ("full", "lora"):
        assert first.read_columns(f"{arm}/all/0") != first.read_columns(f"{arm}/all/1")


def test_dropout_is_on(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Else equal bits would say little: the same study on a checkpoint without any says otherwise."""
    name = "classification"
    arms: dict[str, Any] = {"full": {}, "words": None}
    with_dropout = run_study(
        write_study(tmp_path / "on", name, checkpoint(name, 0.2), arms=arms, seeds=1), CPU
    )
    (tmp_path / "model").rename(tmp_path / "before")
    without = run_study(write_study(tmp_path / "off", name, checkpoint(name, 0.0), arms=arms, seeds=1), CPU)
    assert find_gaps(with_dropout, without)["full/all/0"] > 1e-3


def test_a_study_that_is_killed_resumes_to_the_bit(checkpoint: Checkpoint, tmp_path: Path) -> None:
    name, model = "classification", checkpoint("classification", 0.2)
    changes = {"arms": {"full": {}, "random": {"init": "random"}, "words": None}, "training": {"epochs": 3}}
    whole = run_study(write_study(tmp_path / "whole", name, model, **changes), CPU)
    file = write_study(tmp_path / "killed", name, model, **changes)
    killed = run_elsewhere(file, CPU, killed_at=3)
    assert not killed.records
    assert len(list(killed.out.glob("runs/*/*/*/checkpoint/state.safetensors"))) == 4
    resumed = run_study(file, CPU)
    assert_all_done(resumed, name)
    assert_equal_studies(resumed, whole, name)


def test_packs_that_a_gpu_is_asked_for_train_here() -> None:
    """A member of a pack by itself, and the pack once more without captures."""
    setting = Setting(CPU, "bert", "fp64")
    pack = Trained(EVEN, setting)
    assert_captured(pack)
    assert_same_bits(pack, Trained(EVEN, replace(setting, captures="off")))
    assert_near(pack, Trained(EVEN[1:], setting), [1], 1e-9)


def test_studies_are_of_every_task() -> None:
    from headstart.config.traits import METHODS, TASKS

    assert {name.partition(",")[0] for name in STUDIES} == set(TASKS)
    arms = [*make_arms("labels").values(), *make_arms("conversations").values()]
    assert {arm.get("method", "full") for arm in arms} | {"qlora"} == set(METHODS)
