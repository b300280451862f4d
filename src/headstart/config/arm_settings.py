"""What an arm sets once the study's defaults are in: checkpoint, training settings, and its grid."""

from __future__ import annotations

from itertools import product

from headstart.config.study import Arm, Study, Training, Tune
from headstart.config.traits import get_method_traits

#: One point of a tuned arm's grid, as (name, value) in the order of `Training`; empty where none is tuned.
GridPoint = tuple[tuple[str, float], ...]


def get_checkpoint(study: Study, arm: Arm) -> str:
    """The checkpoint whose architecture, and unless random whose weights, the arm starts from."""
    return study.model if arm.init in ("pretrained", "random") else arm.init


def get_tune(study: Study, arm: Arm) -> Tune | None:
    """How the arm is tuned; None where it is not."""
    return (arm.tune or study.tune) if get_method_traits(arm.method).is_tunable else None


def get_grid_axes(study: Study, arm: Arm) -> dict[str, tuple[float, ...]]:
    """What the arm tries, as values by key; empty where it tries nothing."""
    tune = get_tune(study, arm)
    return tune.axes if tune else {}


def get_tuning_seeds(study: Study, arm: Arm) -> tuple[int, ...]:
    """The seeds that choose the arm's grid point and judge nothing; none where the study's own choose it."""
    tune = get_tune(study, arm)
    return () if tune is None or tune.seeds == "shared" else tune.seeds


def get_choosing_seeds(study: Study, arm: Arm) -> tuple[int, ...]:
    """The seeds with which the arm's whole grid trains."""
    return get_tuning_seeds(study, arm) or study.seeds


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
