"""What every optimiser of a pack keeps to: members selected, moments taken along, no number read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from adamw_cases import (
    CLIPS,
    TRAININGS,
    NumbersRead,
    choose_rates,
    draw_gradients,
    make_weights,
    step_members,
)
from headstart.engine.optim.base import Optimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.weights import Weights

kinds = pytest.mark.parametrize("batched", [False, True], ids=["per member", "batched"])


def _create(weights: Weights, batched: bool) -> Optimiser:
    return create_optimiser(weights, TRAININGS, batched=batched)


@kinds
@pytest.mark.parametrize("rows", [[0], [2], [2, 0], [1, 2, 0]])
@pytest.mark.parametrize("copied", [False, True], ids=["selected", "copied"])
def test_selected_members_keep_their_moments(rows: list[int], copied: bool, batched: bool) -> None:
    full, part = make_weights(torch.float32), make_weights(torch.float32)
    expected, optimiser = _create(full, batched), _create(part, batched)
    for step in range(4):
        step_members(expected, full, range(3), step)
        if step == 2:
            if copied:
                part = part.copy_members(rows)
            else:
                part.select(rows)
            optimiser = optimiser.select(rows, part)
        step_members(optimiser, part, rows if step >= 2 else range(3), step)
    assert torch.equal(part.values, full.values[rows])
    for place, r in enumerate(rows):
        mine, its = optimiser.export_moments(place), expected.export_moments(r)
        assert mine.keys() == its.keys()
        assert all(torch.equal(mine[name], its[name]) for name in its)


@kinds
def test_both_halves_of_a_pack_can_be_selected(batched: bool) -> None:
    full = make_weights(torch.float32)
    expected, optimiser = _create(full, batched), _create(full, batched)
    step_members(optimiser, full, range(3), 0)
    for r in range(3):
        expected.import_moments(r, {name: x.clone() for name, x in optimiser.export_moments(r).items()})
    parts = [(rows, full.copy_members(rows)) for rows in ([0], [1, 2])]
    halves = [(rows, weights, optimiser.select(rows, weights)) for rows, weights in parts]
    step_members(expected, full, range(3), 1)
    for rows, weights, half in halves:
        step_members(half, weights, rows, 1)
        assert torch.equal(weights.values, full.values[rows])


@kinds
def test_a_member_goes_on_from_moments_that_were_exported(batched: bool) -> None:
    full, other = make_weights(torch.float32), make_weights(torch.float32)
    optimiser, resumed = _create(full, batched), _create(other, batched)
    assert optimiser.export_moments(1) == {}
    for step in range(3):
        step_members(optimiser, full, range(3), step)
    other.values.copy_(full.values)
    for r in range(3):
        resumed.import_moments(r, {name: x.clone() for name, x in optimiser.export_moments(r).items()})
    for each, weights in ((optimiser, full), (resumed, other)):
        step_members(each, weights, range(3), 3)
    assert torch.equal(other.values, full.values)
    assert float(resumed.export_moments(1)["0.step"]) == 4


@kinds
def test_moments_have_the_names_of_the_state_on_disk(batched: bool) -> None:
    weights = make_weights(torch.float32)
    optimiser = _create(weights, batched)
    step_members(optimiser, weights, range(3), 0)
    sizes = {name: value.numel() for name, value in optimiser.export_moments(2).items()}
    decaying, exempt = weights.decayed.stop, weights.values.shape[1] - weights.decayed.stop
    assert sizes == {
        "0.step": 1, "0.exp_avg": decaying, "0.exp_avg_sq": decaying,
        "1.step": 1, "1.exp_avg": exempt, "1.exp_avg_sq": exempt,
    }  # fmt: skip


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_reads_no_number(dtype: torch.dtype, batched: bool) -> None:
    weights = make_weights(dtype)
    optimiser = _create(weights, batched)
    with NumbersRead() as read:  # type: ignore[no-untyped-call]
        for step in range(3):
            draw_gradients(weights, step)
            optimiser.step(choose_rates(step), CLIPS)
        assert read.count == 0
        float(weights.values[0, 0])
    assert read.count == 1, "the counter counts"


@kinds
def test_moments_can_be_written_to_a_file(tmp_path: Path, batched: bool) -> None:
    weights = make_weights(torch.float32)
    optimiser = _create(weights, batched)
    step_members(optimiser, weights, range(3), 0)
    moments = optimiser.export_moments(1)
    save_file(dict(moments), tmp_path / "moments")
    read = load_file(tmp_path / "moments")
    assert all(torch.equal(read[name], moments[name]) for name in read.keys() | moments.keys())
