"""Members of a pack on a GPU are the runs that they are alone, whatever becomes of the others."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from device_packs import (
    RAGGED,
    Case,
    Setting,
    Trained,
    assert_captured,
    assert_near,
    break_gradients,
    fail_large_packs,
    resume,
    train_until,
    watch_packs,
    widen_bloom,
)
from headstart import cuda
from headstart.device import Precision
from headstart.engine import device_steps
from tiny import make_tiny_run

BOUNDS: dict[Precision, float] = {"fp64": 1e-9, "fp32": 1e-4}
precisions = pytest.mark.parametrize("precision", ["fp64", pytest.param("fp32", marks=pytest.mark.long)])


@precisions
@pytest.mark.parametrize("family", ["roberta", "bloom", "llama"])
def test_six_ragged_members_are_what_they_are_alone(
    family: str, precision: Precision, device: torch.device
) -> None:
    setting = Setting(device, family, precision)
    with widen_bloom():
        pack = Trained(RAGGED, setting)
        assert_captured(pack)
        for r, case in enumerate(RAGGED):
            assert_near(pack, Trained([case], setting), [r], BOUNDS[precision])
    impatient = pack.members[2]
    assert len(impatient.epochs) == 2 < impatient.run.training.epochs, str(setting)


@precisions
@pytest.mark.parametrize(("cost", "packs"), [(0, [6, 5, 4, 3, 2, 1]), (10**6, [6])])
def test_members_that_have_ended_leave_or_stay_and_nobody_notices(
    cost: int, packs: list[int], precision: Precision, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(device, "roberta", precision)
    expected = Trained(RAGGED, setting)
    monkeypatch.setattr(device_steps, "_STEPS_PER_CAPTURE", cost)
    with watch_packs() as sizes:
        trained = Trained(RAGGED, setting)
    assert_captured(trained)
    assert set(sizes) <= set(packs), str(setting)
    assert (sizes[0], sizes[-1]) == (packs[0], packs[-1]), str(setting)
    assert_near(trained, expected, range(len(RAGGED)), BOUNDS[precision])


@precisions
@pytest.mark.parametrize("read_every", [1, 16])
def test_a_run_that_diverges_is_told_at_the_very_step(
    read_every: int, precision: Precision, device: torch.device
) -> None:
    setting, (run, _) = Setting(device, "roberta", precision), RAGGED[4]
    with break_gradients(run, step=8):
        trained = Trained(RAGGED, setting, read_every=read_every)
    assert_captured(trained)
    assert "with a gradient of norm nan at step 8 of 20" in str(trained.members[4].error), str(setting)
    assert [step for step, _ in trained.heard.steps_of(run)] == list(range(1, 9)), str(setting)
    assert trained.members[4].weights is None
    for r in (0, 5):
        alone = Trained([RAGGED[r]], setting)
        assert trained.losses(r) == pytest.approx(alone.losses(0), rel=0, abs=BOUNDS[precision]), str(setting)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_resumes_from_a_state_to_the_bit(
    precision: Precision, device: torch.device, tmp_path: Path
) -> None:
    setting, case = Setting(device, "roberta", precision), RAGGED[0]
    whole = Trained([case], setting)
    train_until(tmp_path, case, setting, epoch=2)
    resumed = resume(tmp_path, case, setting)
    assert len(resumed.losses(0)) == 20, "the second half of four epochs"
    assert resumed.members[0].losses == whole.members[0].losses, str(setting)
    assert resumed.members[0].weights is not None
    assert whole.members[0].weights is not None
    assert torch.equal(resumed.members[0].weights, whole.members[0].weights), str(setting)


def test_a_pack_that_memory_does_not_hold_goes_on_in_halves(device: torch.device) -> None:
    """Batches large beside the weights, and memory for two members' but not for four's."""
    batch = 1024 if device.type == "cuda" else 8
    setting = Setting(device, "roberta", "fp32", texts=4 * batch)
    cases = [
        (make_tiny_run(seed, epochs=1, batch_size=batch), np.arange(4 * batch - seed)) for seed in range(4)
    ]
    whole = Trained(cases, setting)
    with _hold_two_members(cases, setting), watch_packs() as packs:
        halves = Trained(cases, setting)
    assert packs == [4, 2, 2]
    assert_captured(halves)
    assert_near(halves, whole, range(4), 1e-4)


@contextmanager
def _hold_two_members(cases: list[Case], setting: Setting) -> Iterator[None]:
    """Within the block memory is between what two of the cases need and what all four do."""
    if setting.device.type == "cpu":
        with fail_large_packs(2):
            yield
        return
    two = max(_measure_peak(part, setting) for part in (cases[:2], cases[2:]))
    four = _measure_peak(cases, setting)
    assert four > 1.3 * two, "else it is no matter of the members' number"
    total = torch.cuda.get_device_properties(setting.device).total_memory
    gc.collect()
    cuda.release_memory()
    torch.cuda.set_per_process_memory_fraction((two + four) / 2 / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _measure_peak(cases: list[Case], setting: Setting) -> int:
    """Bytes that training them reserves."""
    gc.collect()
    cuda.start_peak_memory()
    Trained(cases, replace(setting))
    return cuda.read_peak_memory() or 0
