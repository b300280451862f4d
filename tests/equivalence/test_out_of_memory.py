"""Where memory runs out a pack goes on in halves, and its members stay the runs they are alone, float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from headstart.config.runs import Run
from headstart.engine.member import Member
from headstart.engine.train import iter_training_steps, train
from tiny import (
    EventRecorder,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    make_tiny_weights,
    max_difference,
)
from watched import watch_optimiser

Error = Callable[[], Exception]
STEPS, BATCH = 24, 6
#: What devices and this machine say.
ERRORS: tuple[Error, ...] = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8589934592 bytes"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    lambda: MemoryError(),
)
#: Other seeds, rates, clips, and fewer texts; 24 steps are 2.4 epochs of all texts.
RUNS = (
    (make_tiny_run(0, steps=STEPS), np.arange(60)),
    (make_tiny_run(1, steps=STEPS, learning_rate=3e-3, clip=0.1), np.arange(7, 40)),
    (make_tiny_run(2, steps=STEPS - 5, weight_decay=0.3), np.arange(60)),
    (make_tiny_run(3, steps=STEPS, schedule="cosine"), np.arange(50)),
    (make_tiny_run(4, steps=STEPS, learning_rate=2e-3, warmup=0), np.arange(60)),
)


class _Scarce:
    """Lets training passes of a module fail where `fails` says so of their number and rows."""

    def __init__(self, module: nn.Module, fails: Callable[[int, int], bool], error: Error) -> None:
        self._fails, self._error = fails, error
        self.passes, self.rows, self.failed = 0, 0, 0
        self.all_rows: list[int] = []
        module.register_forward_pre_hook(self.before, with_kwargs=True)

    def before(self, module: nn.Module, args: Any, inputs: dict[str, Any]) -> None:
        """Called before each forward pass."""
        if module.training:
            self.passes, self.rows = self.passes + 1, len(inputs["input_ids"])
            self.all_rows.append(self.rows)
            self.check()

    def check(self, *_: object) -> None:
        """Fail, if this pass is one that does."""
        if self._fails(self.passes, self.rows):
            self.failed += 1
            raise self._error()


class _ScarceBehind(_Scarce):
    """Fails in the middle of the backward pass, when some gradients are there already."""

    def __init__(self, module: nn.Module, fails: Callable[[int, int], bool], error: Error) -> None:
        super().__init__(module, fails, error)
        base: Any = getattr(module, "model", module)
        base.bert.encoder.layer[0].register_full_backward_hook(super().check)

    def check(self, *_: object) -> None:
        """Nothing fails in front."""


class _Trained:
    """The given runs, trained as one, with what was heard."""

    def __init__(
        self,
        which: Sequence[int],
        scarce: Any = None,
        read_every: int | None = None,
        overflows: dict[int, int] | None = None,
        **training: Any,
    ) -> None:
        self.members = [Member(_changed(RUNS[r][0], training), RUNS[r][1]) for r in which]
        weights = make_tiny_weights([make_tiny_model(seed=50 + r, dropout=0.2) for r in which])
        self.scarce: Any = scarce(weights.module) if scarce else None
        self.optimiser = watch_optimiser(weights, self.members, overflows)
        self.heard = EventRecorder()
        context = make_tiny_context(curves=("valid", "test"))
        train(self.members, weights, context, self.heard, optimiser=self.optimiser, read_every=read_every)

    def moments(self, place: int) -> list[torch.Tensor]:
        """A member's moments, as they are after its last step."""
        return list(self.optimiser.moments[place].values())


def _changed(run: Run, training: dict[str, Any]) -> Run:
    return Run(**{**vars(run), "training": run.training.model_copy(update=training)})


def _more_than(rows: int, after: int) -> Callable[[int, int], bool]:
    """Passes of more rows fail, once so many were made."""
    return lambda n_passes, n_rows: n_passes > after and n_rows > rows


def _assert_as_alone(pack: _Trained, which: Sequence[int], **training: Any) -> None:
    for place, r in enumerate(which):
        alone, mine = _Trained([r], **training), pack.members[place]
        member_alone = alone.members[0]
        assert (mine.steps, mine.micro_batches, mine.error) == (
            member_alone.steps,
            member_alone.micro_batches,
            None,
        )
        heard, expected = pack.heard.steps_of(mine.run), alone.heard.steps_of(member_alone.run)
        assert [step for step, _ in heard] == [step for step, _ in expected]
        assert [loss for _, loss in heard] == pytest.approx([loss for _, loss in expected], abs=1e-9)
        assert max_difference(mine.weights, member_alone.weights) < 1e-9
        assert max(map(max_difference, pack.moments(place), alone.moments(0))) < 1e-9
        assert [_scores(p) for p in mine.epochs] == [
            pytest.approx(_scores(p), abs=1e-9) for p in member_alone.epochs
        ]


def _scores(point: Any) -> dict[str, float]:
    tested = {f"test {name}": value for name, value in point.test.items()}
    return {"step": point.step, "train": point.train_loss, **point.valid, **tested}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", [_Scarce, pytest.param(_ScarceBehind, marks=pytest.mark.long)])
def test_members_of_halves_are_the_runs_they_are_alone(kind: Any, error: Error) -> None:
    """Five members, then two and three, then one and two: the 14th pass is in the second epoch."""
    which = range(5)
    pack = _Trained(which, lambda module: kind(module, _more_than(2 * BATCH, after=13), error))
    assert pack.scarce.failed == 2
    _assert_as_alone(pack, which)


def test_memory_may_run_out_at_the_first_step() -> None:
    pack = _Trained(range(4), lambda module: _Scarce(module, _more_than(BATCH, after=0), ERRORS[0]))
    assert pack.scarce.failed == 3
    _assert_as_alone(pack, range(4))


def test_memory_may_run_out_again_later() -> None:
    """One failure at four members, and one more when the halves are in their last epoch."""
    pack = _Trained(range(4), lambda module: _Scarce(module, lambda n, _: n in (5, 26), ERRORS[0]))
    assert pack.scarce.failed == 2
    _assert_as_alone(pack, range(4))


@pytest.mark.parametrize("kind", [_Scarce, pytest.param(_ScarceBehind, marks=pytest.mark.long)])
def test_a_pass_that_fails_takes_those_before_it_in_the_step_along(kind: Any) -> None:
    """With three passes a step, the gradients of the first two must not count twice."""
    fails = _more_than(BATCH, after=10)
    pack = _Trained(range(3), lambda module: kind(module, fails, ERRORS[1]), accumulation=3)
    assert pack.scarce.failed == 2
    _assert_as_alone(pack, range(3), accumulation=3)


def test_a_single_member_that_does_not_fit_fails_and_says_so() -> None:
    pack = _Trained([1], lambda module: _Scarce(module, _more_than(0, after=7), ERRORS[0]))
    (member,) = pack.members
    assert member.weights is None
    assert member.steps == 7
    assert str(member.error).startswith("run arm/all/1: out of memory at step 8 of 24")
    assert "lower training.batch_size" in str(member.error)


def test_members_of_which_none_fits_all_fail() -> None:
    pack = _Trained(range(3), lambda module: _Scarce(module, _more_than(0, after=4), ERRORS[0]))
    for member in pack.members:
        assert f"run {member.run.key}: out of memory at step 5 of {member.total_steps}" in str(member.error)


def test_the_others_go_on_beside_a_member_that_does_not_fit() -> None:
    """A pack of two fails in its 8th pass, and the half that comes next fails too."""
    pack = _Trained(range(2), lambda module: _Scarce(module, lambda n, _: n in (8, 9), ERRORS[0]))
    failed = [r for r in range(2) if pack.members[r].error]
    assert len(failed) == 1
    (well,) = {0, 1} - set(failed)
    assert max_difference(pack.members[well].weights, _Trained([well]).members[0].weights) < 1e-9


@pytest.mark.parametrize("kind", [_Scarce, pytest.param(_ScarceBehind, marks=pytest.mark.long)])
def test_members_of_halves_are_the_same_however_seldom_losses_are_read(kind: Any) -> None:
    which = range(5)
    scarce = lambda module: kind(module, _more_than(2 * BATCH, after=13), ERRORS[0])  # noqa: E731
    pack = _Trained(which, scarce, read_every=4)
    assert pack.scarce.failed == 2
    _assert_as_alone(pack, which)


def test_a_member_that_diverged_unread_makes_room_before_a_pack_is_halved() -> None:
    """It diverges at its 2nd step, memory runs out at the 3rd, and losses are read every four steps."""
    scarce = lambda module: _Scarce(module, lambda n, _: n == 3, ERRORS[0])  # noqa: E731
    pack = _Trained(range(4), scarce, read_every=4, overflows={1: 1})
    assert pack.scarce.failed == 1
    assert pack.scarce.all_rows[2:4] == [4 * BATCH, 3 * BATCH], "the step is made again without it"
    assert str(pack.members[1].error).startswith(
        "run arm/all/1: loss nan with a gradient of norm nan at step 2"
    )
    for place in (0, 2, 3):
        alone = _Trained([place])
        assert max_difference(pack.members[place].weights, alone.members[0].weights) < 1e-9


def test_other_errors_are_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        _Trained(range(2), lambda m: _Scarce(m, lambda n, _: n == 3, lambda: RuntimeError("mat1 and mat2")))


def test_halves_take_the_place_of_the_pack() -> None:
    """Else a pack that was too large goes on with more memory for weights than it had before."""
    members = [Member(RUNS[r][0], RUNS[r][1]) for r in range(4)]
    weights = make_tiny_weights([make_tiny_model(seed=r) for r in range(4)])
    pack_numbers = weights.values.numel()
    _Scarce(weights.module, _more_than(2 * BATCH, after=5), ERRORS[0])
    train(members, weights, make_tiny_context(), EventRecorder())
    assert weights.values.numel() + weights.grads.numel() < pack_numbers


def test_a_probe_of_steps_says_that_memory_ran_out() -> None:
    runs, context = [make_tiny_run(seed, steps=9) for seed in range(2)], make_tiny_context()
    members = [Member(run, np.arange(60)) for run in runs]
    weights = make_tiny_weights([make_tiny_model(seed=seed) for seed in range(2)])
    _Scarce(weights.module, lambda n, _: n == 4, ERRORS[1])
    steps = iter_training_steps(members, weights, context)
    for _ in range(3):
        next(steps)
    with pytest.raises(MemoryError):
        next(steps)
