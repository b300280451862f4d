"""A run that goes on from its state is the run that was never stopped, in whatever pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from headstart.engine.member import Member
from headstart.engine.optim.create import create_optimiser
from headstart.engine.pack_rows import TrainingState
from headstart.engine.train import train
from headstart.os_faults import MachineError
from kept_states import load_last, save_after
from tiny import (
    EventRecorder,
    make_tiny_context,
    make_tiny_model,
    make_tiny_run,
    make_tiny_weights,
    max_difference,
)

RUN = make_tiny_run(1, epochs=5, learning_rate=3e-2)


def _whole(folder: Path, epoch: int) -> Member:
    """The run from its first to its last step, its state written at the end of `epoch`."""
    member, weights = Member(RUN, np.arange(60)), make_tiny_weights([make_tiny_model(dropout=0.2)])

    train([member], weights, make_tiny_context(), EventRecorder(), save_after(epoch, folder))
    return member


def _rest(folder: Path, others: int = 0, identity: str = "it") -> tuple[Member, EventRecorder, bool]:
    """The run from its state on, beside fresh ones."""
    members = [Member(RUN, np.arange(60))]
    members += [Member(make_tiny_run(50 + i, epochs=1), np.arange(60)) for i in range(others)]
    weights = make_tiny_weights([make_tiny_model(seed=90 + i, dropout=0.2) for i in range(1 + others)])
    optimiser, heard = create_optimiser(weights, [m.run.training for m in members]), EventRecorder()
    loaded = load_last(folder, identity, members[0], weights, 0, optimiser)
    train(members, weights, make_tiny_context(), heard, optimiser=optimiser)
    return members[0], heard, loaded


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_resuming_gives_the_same_bits(epoch: int, tmp_path: Path) -> None:
    uninterrupted = _whole(tmp_path, epoch)
    resumed, heard, loaded = _rest(tmp_path)
    assert loaded
    assert len(heard.losses) == 10 * (5 - epoch)
    assert uninterrupted.weights is not None
    assert resumed.weights is not None
    assert torch.equal(resumed.weights, uninterrupted.weights)
    assert resumed.losses == uninterrupted.losses
    assert [p.model_dump(exclude={"seconds"}) for p in resumed.epochs] == [
        p.model_dump(exclude={"seconds"}) for p in uninterrupted.epochs
    ]
    assert resumed.best is not None
    assert uninterrupted.best is not None
    assert resumed.best.epoch == uninterrupted.best.epoch


def test_the_file_holds_weights_moments_and_progress(tmp_path: Path) -> None:
    _whole(tmp_path, 4)
    with safe_open(tmp_path / "state.safetensors", framework="pt") as file:
        names, progress = set(file.keys()), file.metadata()
    moments = {f"{i}.{name}" for i in (0, 1) for name in ("step", "exp_avg", "exp_avg_sq")}
    assert names == {"weights", "best", *moments}
    assert progress.keys() == {"identity", "steps", "passes", "seconds", "best", "losses", "points"} | {
        "mark",
        "sums",
    }


def test_the_state_is_offered_after_every_epoch_but_the_last() -> None:
    seen: list[int] = []
    member, weights = Member(RUN, np.arange(60)), make_tiny_weights([make_tiny_model()])

    def save(going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        seen.extend(member.steps for member in going)

    train([member], weights, make_tiny_context(), EventRecorder(), save)
    assert seen == [10, 20, 30, 40]


def test_the_case_exercises_a_best_epoch_before_the_state(tmp_path: Path) -> None:
    best = _whole(tmp_path, 4).best
    assert best is not None
    assert best.epoch < 4


def test_resuming_in_a_pack_gives_the_same_run(tmp_path: Path) -> None:
    uninterrupted = _whole(tmp_path, 2)
    resumed, _, loaded = _rest(tmp_path, others=2)
    assert loaded
    assert max_difference(resumed.weights, uninterrupted.weights) < 1e-9


def test_the_copy_in_bf16_is_of_the_weights_that_are_loaded(tmp_path: Path) -> None:
    _whole(tmp_path, 2)
    weights = make_tiny_weights([make_tiny_model(seed=90 + i, dropout=0.2) for i in range(2)])
    weights.keep_narrow_copy()
    optimiser, member = create_optimiser(weights, [RUN.training] * 2), Member(RUN, np.arange(60))
    assert weights.narrow is not None
    before = weights.narrow.clone()
    assert load_last(tmp_path, "it", member, weights, 1, optimiser)
    assert torch.equal(weights.narrow, weights.values[:, weights.linear].bfloat16())
    assert [torch.equal(a, b) for a, b in zip(weights.narrow, before, strict=True)] == [True, False]


def test_another_runs_state_is_not_taken(tmp_path: Path) -> None:
    _whole(tmp_path, 2)
    resumed, heard, loaded = _rest(tmp_path, identity="another")
    assert not loaded
    assert len(heard.losses) == resumed.total_steps


def test_no_state_or_half_of_one_is_no_state(tmp_path: Path) -> None:
    assert not _rest(tmp_path)[2]
    _whole(tmp_path, 2)
    file = tmp_path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert not _rest(tmp_path)[2]


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9999])
def test_a_state_of_which_a_bit_changed_is_not_taken(tmp_path: Path, share: float) -> None:
    """In its progress, in the middle or at the end of its numbers: no reader notices but by the sums."""
    _whole(tmp_path, 2)
    file = tmp_path / "state.safetensors"
    content = bytearray(file.read_bytes())
    place = content.index(b'\\"train_loss\\":') + 16 if share < 0.01 else int(share * len(content))
    content[place] ^= 1
    file.write_bytes(content)
    with safe_open(file, framework="pt") as opened:
        assert opened.keys()
    assert not _rest(tmp_path)[2]


def test_a_state_of_before_that_has_no_sums_is_taken(tmp_path: Path) -> None:
    _whole(tmp_path, 2)
    file = tmp_path / "state.safetensors"
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        progress = {key: value for key, value in opened.metadata().items() if key != "sums"}
    save_file(tensors, file, metadata=progress)
    assert _rest(tmp_path)[2]


@pytest.mark.parametrize("mark", ["[]", '{"turn": "x", "together": [], "has_ended": false}', "1"])
def test_a_state_whose_moment_is_not_told_is_not_taken(tmp_path: Path, mark: str) -> None:
    _whole(tmp_path, 2)
    file = tmp_path / "state.safetensors"
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        progress = {key: value for key, value in opened.metadata().items() if key != "sums"}
    save_file(tensors, file, metadata=progress | {"mark": mark})
    assert not _rest(tmp_path)[2]


def test_write_that_fails_leaves_the_earlier_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _whole(tmp_path, 2)
    (file,) = tmp_path.iterdir()
    earlier = file.read_bytes()

    def fail_halfway(tensors: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("headstart.engine.training_state.save_file", fail_halfway)
    with pytest.raises(MachineError, match="disk full"):
        _whole(tmp_path, 3)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [earlier]


@pytest.mark.parametrize("lacking", ["points", "losses", "weights"])
def test_a_state_that_lacks_something_is_not_taken_and_changes_nothing(tmp_path: Path, lacking: str) -> None:
    uninterrupted = _whole(tmp_path, 3)
    file = tmp_path / "state.safetensors"
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys() if name != lacking}  # noqa: SIM118
        progress = {key: value for key, value in opened.metadata().items() if key not in (lacking, "sums")}
    save_file(tensors, file, metadata=progress)
    begun, _, loaded = _rest(tmp_path)
    assert not loaded
    assert begun.steps == uninterrupted.steps


@pytest.mark.parametrize(
    ("key", "value"), [("losses", "[1,"), ("points", "[{}]"), ("steps", "many"), ("points", "[NaN]")]
)
def test_a_state_whose_progress_is_damaged_is_not_taken(tmp_path: Path, key: str, value: str) -> None:
    _whole(tmp_path, 3)
    file = tmp_path / "state.safetensors"
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        progress = opened.metadata()
    del progress["sums"]  # what else holds it is asked here
    save_file(tensors, file, metadata=progress | {key: value})
    assert not _rest(tmp_path)[2]
