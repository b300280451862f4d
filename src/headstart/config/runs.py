"""Expands a study into runs (arm x size x seed x grid point); refuses unfair comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from headstart.config.study import Arm, Lora, Probe, Size, Study, Training
from headstart.config.traits import MethodName, get_method_traits
from headstart.errors import Problem, StudyError
from headstart.records import Estimate, format_run_key

#: One point of a tuned arm's grid, as (name, value) in the order of `Training`; empty where none is tuned.
GridPoint = tuple[tuple[str, float], ...]
#: What a tuning method brings along: where methods differ, these may differ with them.
_OF_THE_METHOD = frozenset({"learning_rate", "weight_decay"})


@dataclass(frozen=True)
class Run:
    """One arm, trained on `size` texts with one seed; `training` has every value settled.

    `lora`, `probe` and `peft` are the methods' own settings; those of other methods are None.
    """

    arm: str
    size: Size
    seed: int
    method: MethodName
    checkpoint: str
    pretrained: bool
    training: Training
    grid_point: GridPoint = ()
    lora: Lora | None = None
    probe: Probe | None = None
    peft: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """`arm/size/seed`, with the point of the grid in a tuned arm: the run's folder below `runs/`."""
        return format_run_key(self.arm, self.size, self.seed, self.grid_point)


@dataclass(frozen=True)
class Pack:
    """Runs of one architecture and one method that train at once, stacked into one module.

    `estimate` is what was expected of it before it began.
    """

    runs: tuple[Run, ...]
    estimate: Estimate | None = None


def expand_runs(study: Study) -> tuple[Run, ...]:
    """Every run of the study: seeds outermost, so that a study stopped early has whole comparisons.

    Raises:
        StudyError: where an arm differs from its control in more than its initialisation and method.
    """
    check_control(study)
    return tuple(
        _make_run(study, name, size, seed, point)
        for seed in study.seeds
        for size in study.sizes
        for name, arm in study.arms.items()
        for point in list_grid_points(study, arm)
    )


def get_checkpoint(study: Study, arm: Arm) -> str:
    """The checkpoint whose architecture, and unless random whose weights, the arm starts from."""
    return study.model if arm.init in ("pretrained", "random") else arm.init


def get_grid_axes(study: Study, arm: Arm) -> dict[str, tuple[float, ...]]:
    """What the arm tries, as values by key; empty where it tries nothing."""
    tune = None if not get_method_traits(arm.method).has_checkpoint else arm.tune or study.tune
    return tune.axes if tune else {}


def list_grid_points(study: Study, arm: Arm) -> tuple[GridPoint, ...]:
    """The settings that the arm tries, in order; the one empty setting where it tries nothing."""
    return tuple(
        product(*([(name, v) for v in values] for name, values in get_grid_axes(study, arm).items()))
    )


def resolve_training(study: Study, arm: Arm) -> Training:
    """The arm's settings over the study's, with the learning rate that suits the method where none is set.

    A tuned arm's grid is not in them: each of its runs has a point of it in place of these values.
    """
    training = study.training.override(arm.training)
    rate = training.learning_rate or get_method_traits(arm.method).learning_rate
    return training.model_copy(update={"learning_rate": rate})


def check_control(study: Study) -> None:
    """Refuse arms that differ from the control in settings besides their own claim.

    Raises:
        StudyError: with every such setting.
    """
    problems = tuple(Problem("study", key, message) for key, message in find_confounders(study))
    if problems:
        raise StudyError(problems)


def find_confounders(study: Study) -> list[tuple[str, str]]:
    """The settings, as (key, message), in which arms differ from the control besides their own claim.

    An arm claims its initialisation and its method; the method brings its learning rate and weight
    decay along. Anything else that differs (epochs, batch size, ..., and how much was tried) would be
    confounded with the claim.
    """
    control = study.control_arm
    if (
        control is None
        or study.confounded
        or not get_method_traits(study.arms[control].method).has_checkpoint
    ):
        return []
    return [
        (
            f"arms.{name}.{key}",
            _describe_confounder(name, control, mine, theirs, "grid" if key == "tune" else "value"),
        )
        for name, arm in study.arms.items()
        for key, mine, theirs in _list_differences(study, arm, study.arms[control])
    ]


def _list_differences(study: Study, arm: Arm, control: Arm) -> list[tuple[str, object, object]]:
    if not get_method_traits(arm.method).has_checkpoint:
        return []
    mine, theirs = resolve_training(study, arm), resolve_training(study, control)
    tried, against = get_grid_axes(study, arm), get_grid_axes(study, control)
    # Values that a grid replaces do not count; the grids themselves do.
    free = _OF_THE_METHOD if arm.method != control.method else tried.keys() | against.keys()
    unequal = [
        (f"training.{name}", getattr(mine, name), getattr(theirs, name))
        for name in Training.model_fields
        if name not in free and getattr(mine, name) != getattr(theirs, name)
    ]
    if arm.method == control.method and not _is_same_grid(tried, against):
        unequal.append(("tune", _format_grid(tried), _format_grid(against)))
    return unequal


def _is_same_grid(first: dict[str, tuple[float, ...]], second: dict[str, tuple[float, ...]]) -> bool:
    return {key: set(values) for key, values in first.items()} == {k: set(v) for k, v in second.items()}


def _format_grid(tried: dict[str, tuple[float, ...]]) -> str:
    shown = (f"{name} {', '.join(f'{value:g}' for value in values)}" for name, values in tried.items())
    return " x ".join(shown) or "no grid"


def _describe_confounder(name: str, control: str, mine: object, theirs: object, what: str) -> str:
    return (
        f"is {mine} for {name} and {theirs} for its control {control}: the difference between them would be "
        f"credited to {name}; give both the same {what}, or set `confounded: true`"
    )


def _make_run(study: Study, name: str, size: Size, seed: int, point: GridPoint) -> Run:
    arm = study.arms[name]
    traits = get_method_traits(arm.method)
    return Run(
        arm=name,
        size=size,
        seed=seed,
        method=arm.method,
        checkpoint=get_checkpoint(study, arm) if traits.has_checkpoint else "",
        pretrained=arm.init != "random" and traits.has_checkpoint,
        training=resolve_training(study, arm).model_copy(update=dict(point)),
        grid_point=point,
        lora=arm.lora,
        probe=arm.probe,
        peft=arm.peft,
    )
