"""When losses are read changes neither events nor bits, and reading is all that makes the host wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.config.runs import Run
from headstart.engine import step_ring
from headstart.engine.member import Member, StepMark
from headstart.engine.pack_rows import TrainingState
from headstart.engine.runtime import StepNotes
from headstart.engine.stacked_model import count_members
from headstart.engine.step_ring import StepRing, choose_read_interval
from headstart.engine.train import iter_training_steps, train
from headstart.events import EpochDone, StepDone
from tiny import EventRecorder, make_tiny_context, make_tiny_model, make_tiny_run, make_tiny_weights
from watched import watch_optimiser

#: 10 steps an epoch, of a run with fewer texts 6; the third diverges at its 13th step, in its second epoch.
RUNS = (
    (make_tiny_run(0, epochs=3, learning_rate=1e-2), np.arange(60)),
    (make_tiny_run(1, epochs=2, learning_rate=3e-2), np.arange(7, 40)),
    (make_tiny_run(2, epochs=3), np.arange(60)),
    (make_tiny_run(3, epochs=9, learning_rate=1e-12, patience=1), np.arange(60)),
)
DIVERGES, STEP = 2, 13


class _Trained:
    """The runs, trained as one with their losses read every so many steps."""

    def __init__(self, read_every: int | None, which: Sequence[int] = range(len(RUNS))) -> None:
        self.members = [Member(*RUNS[r]) for r in which]
        self.heard, self.states = EventRecorder(), {}  # type: ignore[var-annotated]
        weights = make_tiny_weights([make_tiny_model(seed=r, dropout=0.2) for r in which])
        overflows = {place: STEP - 1 for place, r in enumerate(which) if r == DIVERGES}
        optimiser = watch_optimiser(weights, self.members, overflows)

        def save(going: Sequence[Member], states: Iterator[TrainingState]) -> None:
            for member, row, moments in states:
                kept = [row.clone(), *(x.clone() for x in moments.values())]
                self.states[member.run.seed, member.steps] = kept

        train(
            self.members,
            weights,
            make_tiny_context(curves=("valid", "test")),
            self.heard,
            save,
            optimiser=optimiser,
            read_every=read_every,
        )

    def told(self, run: Run) -> list[tuple[object, ...]]:
        """What was told of a run, without the time that it took."""
        return [_facts(event) for event in self.heard.events if getattr(event, "run", None) is run]


def _facts(event: Any) -> tuple[object, ...]:
    if isinstance(event, StepDone):
        return event.step, event.total, repr(event.loss), event.learning_rate
    assert isinstance(event, EpochDone)
    return tuple(point.model_copy(update={"seconds": 0.0}) for point in (event.epoch, event.best))


@pytest.mark.parametrize("read_every", [2, 4, 7, 1000])
def test_events_weights_states_and_errors_do_not_depend_on_when_losses_are_read(read_every: int) -> None:
    often, seldom = _Trained(1), _Trained(read_every)
    for expected, actual in zip(often.members, seldom.members, strict=True):
        assert often.told(expected.run) == seldom.told(actual.run)
        assert (expected.steps, expected.micro_batches, str(expected.error)) == (
            actual.steps,
            actual.micro_batches,
            str(actual.error),
        )
        assert np.array_equal(expected.losses, actual.losses, equal_nan=True)
        assert (expected.weights is None) == (actual.weights is None)
        if expected.weights is not None and actual.weights is not None:
            assert torch.equal(expected.weights, actual.weights)
    assert often.states.keys() == seldom.states.keys()
    for key, state in often.states.items():
        assert all(torch.equal(a, b) for a, b in zip(state, seldom.states[key], strict=True))


@pytest.mark.parametrize("read_every", [1, 4])
def test_divergence_is_told_at_the_very_step(read_every: int) -> None:
    pack = _Trained(read_every)
    member = pack.members[DIVERGES]
    assert str(member.error).startswith(
        f"run arm/all/2: loss nan with a gradient of norm nan at step {STEP} of 30"
    )
    steps = pack.heard.steps_of(member.run)
    assert [step for step, _ in steps] == list(range(1, STEP + 1)), "nothing is told of steps after it"
    assert [bool(np.isfinite(loss)) for _, loss in steps] == [True] * (STEP - 1) + [False]


def test_the_case_holds_runs_that_end_leave_diverge_and_go_back() -> None:
    pack = _Trained(4)
    assert [member.steps for member in pack.members] == [30, 12, STEP, 20]
    assert [member.error is not None for member in pack.members] == [r == DIVERGES for r in range(4)]
    assert pack.members[0].best is not None
    assert pack.members[0].best.epoch < 3


class _Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what would make the host wait for a device: numbers asked of tensors, and reads of the ring."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers, self.reads, self.steps_read = 0, 0, 0
        read = step_ring.read_numbers

        def counted(numbers: torch.Tensor, arrived: torch.cuda.Event | None) -> np.ndarray:
            self.reads += 1
            self.steps_read += len(numbers)
            return read(numbers, arrived)

        monkeypatch.setattr(step_ring, "read_numbers", counted)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.numbers += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(("read_every", "reads"), [(1, 30), (4, 9), (16, 3)])
def test_the_host_waits_once_for_many_steps_of_any_number_of_members(
    count: int, read_every: int, reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 steps in epochs of 10, each of which ends with a read. At first it waited once a member and pass."""
    members = [Member(make_tiny_run(seed, epochs=3), np.arange(60)) for seed in range(count)]
    weights = make_tiny_weights([make_tiny_model(seed=seed) for seed in range(count)])
    monkeypatch.setattr("headstart.engine.epochs.evaluate_part", _no_evaluation)
    with _Waits(monkeypatch) as waits:
        train(members, weights, make_tiny_context(), EventRecorder(), read_every=read_every)
    assert (waits.reads, waits.steps_read) == (reads, 30)
    # The library looks in each pass whether the mask has a zero.
    assert waits.numbers <= 30


@pytest.mark.parametrize(("read_every", "steps_read"), [(1, 10), (4, 8)])
def test_who_times_steps_has_each_of_them_read_or_lets_the_host_run_ahead(
    read_every: int, steps_read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [Member(make_tiny_run(seed, epochs=1), np.arange(60)) for seed in range(2)]
    weights = make_tiny_weights([make_tiny_model(seed=seed) for seed in range(2)])
    waits = _Waits(monkeypatch)
    notes = list(iter_training_steps(members, weights, make_tiny_context(), read_every=read_every))
    assert notes == [StepNotes()] * 10
    assert waits.steps_read == steps_read


def _no_evaluation(module: torch.nn.Module, *_: object) -> list[dict[str, float]]:
    return [{"accuracy": 0.5, "loss": 1.0}] * count_members(module)


def test_a_cpu_is_read_at_each_step_and_a_device_seldom() -> None:
    assert choose_read_interval(torch.device("cpu")) == 1
    assert choose_read_interval(torch.device("cuda")) == 16


def _push(ring: StepRing, step: int) -> None:
    numbers = torch.tensor([[step, step + 0.1], [step + 0.2, float("inf")]], dtype=torch.float64)
    ring.push(numbers, [StepMark(step, step, 0.0)] * 2)


def test_a_ring_that_lags_gives_the_steps_of_the_time_before_and_all_when_asked_for_all() -> None:
    ring, given = StepRing(2, lags=True), []
    for step in range(1, 8):
        _push(ring, step)
        if ring.is_full:
            given.append([outcome.marks[0].steps for outcome in ring.read_early()])
    assert given == [[], [1, 2], [3, 4]]
    assert [outcome.losses.tolist()[0] for outcome in ring.read()] == [5.0, 6.0, 7.0]
    assert ring.read() == ring.read_early() == []


def test_a_ring_gives_its_steps_once_and_in_order() -> None:
    ring = StepRing(2)
    assert ring.read() == []
    for step in (1, 2):
        assert not ring.is_full
        _push(ring, step)
    assert ring.is_full
    first, second = ring.read()
    assert (first.losses.tolist(), second.losses.tolist()) == ([1.0, 1.1], [2.0, 2.1])
    assert first.norms.tolist() == [pytest.approx(1.2), float("inf")]
    assert [outcome.marks[0].steps for outcome in (first, second)] == [1, 2]
    assert not ring.is_full
    assert ring.read() == []
