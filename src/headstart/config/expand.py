"""A study becomes its runs (arm x size x seed) and packs; refuses arms that claim less than they change."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.config.study import LEARNING_RATE, Arm, Method, Size, Study, Training
from headstart.errors import Problem, StudyError
from headstart.records import run_key

#: One point of a tuned arm's grid, as (name, value) in the order of `Training`; empty where none is tuned.
Setting = tuple[tuple[str, float], ...]
#: What a tuning method brings along: where methods differ, these may differ with them.
_OF_THE_METHOD = frozenset({"learning_rate", "weight_decay"})


@dataclass(frozen=True)
class Run:
    """One arm, trained on `size` texts with one seed; `training` has every value settled."""

    arm: str
    size: Size
    seed: int
    method: Method
    checkpoint: str
    pretrained: bool
    training: Training
    setting: Setting = ()

    @property
    def key(self) -> str:
        """`arm/size/seed`, with the point of the grid in a tuned arm: the run's folder below `runs/`."""
        return run_key(self.arm, self.size, self.seed, self.setting)


@dataclass(frozen=True)
class Pack:
    """Runs of one architecture and one method that train at once; today packs hold one run."""

    runs: tuple[Run, ...]


def expand(study: Study) -> tuple[Run, ...]:
    """Every run of the study: seeds outermost, so that a study stopped early has whole comparisons.

    Raises:
        StudyError: where an arm differs from its control in more than its initialisation and method.
    """
    check_control(study)
    return tuple(
        _run(study, name, arm, size, seed)
        for seed in study.seeds
        for size in study.sizes
        for name, arm in study.arms.items()
    )


def packs(runs: tuple[Run, ...]) -> tuple[Pack, ...]:
    """The packs in which runs train: one each, until the stacked engine groups them."""
    return tuple(Pack((run,)) for run in runs)


def checkpoint(study: Study, arm: Arm) -> str:
    """The checkpoint whose architecture, and unless random whose weights, the arm starts from."""
    return study.model if arm.init in ("pretrained", "random") else arm.init


def settings(study: Study, arm: Arm) -> Training:
    """The arm's settings over the study's, with the learning rate that suits the method where none is set."""
    training = study.training.override(arm.training)
    rate = training.learning_rate or LEARNING_RATE[arm.method]
    return training.model_copy(update={"learning_rate": rate})


def check_control(study: Study) -> None:
    """Refuse arms that differ from the control in settings besides their own claim.

    Raises:
        StudyError: with every such setting.
    """
    problems = tuple(Problem("study", key, message) for key, message in confounded(study))
    if problems:
        raise StudyError(problems)


def confounded(study: Study) -> list[tuple[str, str]]:
    """The settings, as (key, message), in which arms differ from the control besides their own claim.

    An arm claims its initialisation and its method; the method brings its learning rate and weight
    decay along. Anything else that differs (epochs, batch size, ...) would be credited to the claim.
    """
    control = study.control_arm
    if control is None or study.confounded or study.arms[control].method == "bag-of-words":
        return []
    return [
        (f"arms.{name}.training.{field}", _confounded(name, control, mine, theirs))
        for name, arm in study.arms.items()
        for field, mine, theirs in _differences(study, arm, study.arms[control])
    ]


def _differences(study: Study, arm: Arm, control: Arm) -> list[tuple[str, object, object]]:
    if arm.method == "bag-of-words":
        return []
    mine, theirs = settings(study, arm), settings(study, control)
    free = _OF_THE_METHOD if arm.method != control.method else frozenset()
    return [
        (name, getattr(mine, name), getattr(theirs, name))
        for name in Training.model_fields
        if name not in free and getattr(mine, name) != getattr(theirs, name)
    ]


def _confounded(name: str, control: str, mine: object, theirs: object) -> str:
    return (
        f"is {mine} for {name} and {theirs} for its control {control}: the difference between them would be "
        f"credited to {name}; give both the same value, or set `confounded: true`"
    )


def _run(study: Study, name: str, arm: Arm, size: Size, seed: int) -> Run:
    return Run(
        arm=name,
        size=size,
        seed=seed,
        method=arm.method,
        checkpoint="" if arm.method == "bag-of-words" else checkpoint(study, arm),
        pretrained=arm.init != "random" and arm.method != "bag-of-words",
        training=settings(study, arm),
    )
