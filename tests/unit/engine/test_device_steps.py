"""Steps on a device: the same whether captured or not, whatever becomes of a pack's members on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from captured import CountingCapture, make_device_weights, train_on_device
from headstart.config.runs import Run
from headstart.engine import device_steps
from headstart.engine.device_steps import DeviceSteps
from headstart.engine.feeds import IndexFeed, StepShape
from headstart.engine.kind import force_device_engine
from headstart.engine.member import Member, StepBatches
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.optim.create import create_optimiser
from headstart.engine.runtime import StepNotes
from headstart.engine.train import train
from kept_states import load_last, save_after
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, make_tiny_weights

DROPOUT = 0.2
#: One that trains to the end, a smaller one, one without patience, and one whose gradients are to break.
STEADY = (make_tiny_run(0, epochs=4, learning_rate=1e-2), np.arange(60))
SMALL = (make_tiny_run(1, epochs=3, learning_rate=3e-2), np.arange(7, 25))
IMPATIENT = (make_tiny_run(2, epochs=9, learning_rate=1e-12, patience=1), np.arange(40))
DIVERGING = (make_tiny_run(3, epochs=3, schedule="constant", warmup=0, weight_decay=0.123), np.arange(60))
#: The step from which on they do.
BREAKS = 13
Case = tuple[Run, np.ndarray]


class _Trained:
    """Runs that are trained as one on a device."""

    def __init__(
        self, cases: Sequence[Case], capture: CountingCapture | None = None, **settings: Any
    ) -> None:
        self.capture = CountingCapture() if capture is None else capture
        self.members = [Member(*case) for case in cases]
        self.weights = make_device_weights([make_tiny_model(seed=r.seed, dropout=DROPOUT) for r, _ in cases])
        self.heard = EventRecorder()
        self.notes: StepNotes = train_on_device(
            self.members, self.weights, make_tiny_context(), self.heard, self.capture, **settings
        )

    def losses(self, case: Case) -> list[float]:
        """Of all steps of a run."""
        return [loss for _, loss in self.heard.steps_of(case[0])]


def _same_bits(first: _Trained, other: _Trained) -> bool:
    pairs = zip(first.members, other.members, strict=True)
    return all(
        a.weights is not None and b.weights is not None and torch.equal(a.weights, b.weights)
        for a, b in pairs
    )


def test_captured_and_eager_steps_give_the_same_bits_and_so_does_a_second_time() -> None:
    cases = [STEADY, SMALL]
    captured, again = _Trained(cases), _Trained(cases)
    eager = _Trained(cases, CountingCapture(fails=True))
    assert captured.capture.count > 0
    assert _same_bits(captured, again)
    assert _same_bits(captured, eager)
    assert captured.heard.losses == again.heard.losses == eager.heard.losses


def test_a_captured_evaluation_gives_the_scores_of_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _Trained([STEADY, SMALL])
    monkeypatch.setattr(device_steps, "EVALUATIONS_PER_CAPTURE", 1)
    captured = _Trained([STEADY, SMALL])
    assert captured.capture.count > plain.capture.count
    for member, other in zip(captured.members, plain.members, strict=True):
        assert [point.valid for point in member.epochs] == [point.valid for point in other.epochs]


def test_another_seed_gives_other_bits() -> None:
    other = (replace(STEADY[0], seed=7), STEADY[1])
    assert _Trained([STEADY]).heard.losses != _Trained([other]).heard.losses


def test_a_body_that_cannot_be_captured_runs_as_it_is_and_the_reason_is_told() -> None:
    trained = _Trained([STEADY], CountingCapture(fails=True))
    assert not trained.notes.captured
    assert trained.notes.eager_reason == "RuntimeError: operation not permitted when stream is capturing"
    assert trained.members[0].weights is not None


@pytest.fixture
def broken_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradients of `DIVERGING` are no numbers from some step on, and nobody else's."""
    update = BatchedAdamW.update

    def spoil(self: Any) -> torch.Tensor:
        self.made = getattr(self, "made", 0) + 1
        for r, training in enumerate(self._trainings):
            if training is DIVERGING[0].training and self.made >= BREAKS:
                self._weights.grads[r, 5] = float("nan")
        return update(self)

    monkeypatch.setattr(BatchedAdamW, "update", spoil)


@pytest.mark.usefixtures("broken_gradients")
@pytest.mark.parametrize(
    "read_every", [pytest.param(1, marks=pytest.mark.long), 3, pytest.param(100, marks=pytest.mark.long)]
)
def test_a_run_that_diverges_is_told_at_the_very_step_and_changes_nobody_else(read_every: int) -> None:
    trained = _Trained([STEADY, DIVERGING, SMALL], read_every=read_every)
    diverged = trained.members[1]
    assert f"with a gradient of norm nan at step {BREAKS} of 30" in str(diverged.error)
    assert [step for step, _ in trained.heard.steps_of(DIVERGING[0])] == list(range(1, BREAKS + 1))
    assert diverged.weights is None
    assert len(diverged.epochs) == 1
    for case in (STEADY, SMALL):
        assert trained.losses(case) == pytest.approx(_Trained([case]).losses(case), rel=0, abs=1e-9)


@pytest.mark.usefixtures("broken_gradients")
def test_its_weights_are_those_before_the_step_that_diverged() -> None:
    broken = _Trained([DIVERGING], read_every=100)
    training = DIVERGING[0].training.model_copy(update={"steps": BREAKS - 1})
    before = _Trained([(replace(DIVERGING[0], training=training), DIVERGING[1])])
    assert torch.equal(broken.weights.values[0], before.weights.values[0])


@pytest.mark.parametrize("cost", [pytest.param(0, marks=pytest.mark.long), 1, 10**6])
def test_members_that_have_ended_stay_while_that_is_cheaper_and_nobody_notices(
    cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_steps, "_STEPS_PER_CAPTURE", cost)
    packs: list[int] = []
    opened = DeviceSteps.__init__

    def watch(self: DeviceSteps, members: Sequence[Member], *rest: Any) -> None:
        packs.append(len(members))
        opened(self, members, *rest)

    monkeypatch.setattr(DeviceSteps, "__init__", watch)
    cases = [SMALL, STEADY, IMPATIENT]
    trained = _Trained(cases)
    if cost == 10**6:
        assert packs == [3]
    else:
        assert packs[0] == 3
        assert packs[-1] == 1
    monkeypatch.setattr(DeviceSteps, "__init__", opened)
    for member, case in zip(trained.members, cases, strict=True):
        alone = _Trained([case])
        assert trained.losses(case) == pytest.approx(alone.losses(case), rel=0, abs=1e-9)
        assert [p.epoch for p in member.epochs] == [p.epoch for p in alone.members[0].epochs]
        assert member.steps == alone.members[0].steps
        assert member.weights is not None
        assert alone.members[0].weights is not None
        assert torch.allclose(member.weights, alone.members[0].weights, rtol=0, atol=1e-9)


def test_where_memory_runs_out_a_pack_goes_on_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    accumulate = DeviceSteps.accumulate
    made = 0

    def fail(self: DeviceSteps, step_batches: Sequence[StepBatches]) -> None:
        nonlocal made
        made += 1
        accumulate(self, step_batches)
        if made > 5 and len(step_batches) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    whole = _Trained([STEADY, SMALL])
    monkeypatch.setattr(DeviceSteps, "accumulate", fail)
    halves = _Trained([STEADY, SMALL])
    assert made > 5
    assert halves.capture.released == 1
    for case in (STEADY, SMALL):
        assert halves.losses(case) == pytest.approx(whole.losses(case), rel=0, abs=1e-9)


def test_a_run_resumes_from_a_state_to_the_bit(tmp_path: Any) -> None:
    context, weights = make_tiny_context(), make_device_weights([make_tiny_model(dropout=DROPOUT)])
    whole, member = _Trained([STEADY]), Member(*STEADY)

    train_on_device([member], weights, context, save_states=save_after(2, tmp_path))
    resumed, others = Member(*STEADY), make_device_weights([make_tiny_model(seed=9, dropout=DROPOUT)])
    with force_device_engine():
        optimiser = create_optimiser(others, [STEADY[0].training])
    assert load_last(tmp_path, "it", resumed, others, 0, optimiser)
    assert resumed.steps == 20
    train_on_device([resumed], others, context, optimiser=optimiser)
    assert resumed.losses == whole.members[0].losses
    assert resumed.weights is not None
    assert whole.members[0].weights is not None
    assert torch.equal(resumed.weights, whole.members[0].weights)


def test_a_state_of_the_host_is_taken_by_the_device_but_for_its_masks(tmp_path: Any) -> None:
    """Without dropout there are none, and the runs agree."""
    context, weights = make_tiny_context(), make_tiny_weights([make_tiny_model()])
    member, on_host = Member(*STEADY), EventRecorder()

    train([member], weights, context, on_host, save_after(2, tmp_path))
    resumed, others = Member(*STEADY), make_device_weights([make_tiny_model(seed=9)])
    with force_device_engine():
        optimiser = create_optimiser(others, [STEADY[0].training])
    assert load_last(tmp_path, "it", resumed, others, 0, optimiser)
    train_on_device([resumed], others, context, optimiser=optimiser)
    assert resumed.losses == pytest.approx(on_host.losses, rel=0, abs=1e-9)


def test_a_short_batch_is_padded_to_the_shape_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """19 texts in batches of 6 leave one: still all passes of one length have one shape."""
    case, sent = (make_tiny_run(0, epochs=2), np.arange(19)), []
    send = IndexFeed.send

    def remember(self: IndexFeed, *step: Any) -> StepShape:
        sent.append(send(self, *step))
        return sent[-1]

    monkeypatch.setattr(IndexFeed, "send", remember)
    _Trained([case])
    assert len(sent) == 8
    assert {shape.rows for shape in sent} == {6}
