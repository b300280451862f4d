"""Refuses comparisons in which an arm differs from its control in more than it claims, or says in what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.config.arm_settings import get_grid_axes, get_tune, resolve_training
from headstart.config.study import Arm, Study, Training, Tune
from headstart.config.traits import get_method_traits
from headstart.errors import Problem, StudyError
from headstart.records import StudyWarning
from headstart.wording import join_names

#: The kind of a note, which is no warning, of what an arm and its control differ in.
DIFFERS: Final = "differs"

#: What a tuning method brings along: where methods differ, these may differ with them.
_OF_THE_METHOD = frozenset({"learning_rate", "weight_decay"})


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
    return [
        (
            f"arms.{name}.{key}",
            _describe_confounder(name, control, key, mine, theirs),
        )
        for name, control, key, mine, theirs in _list_all_differences(study)
        if not study.confounded and _shorten(key) not in study.differs_in
    ]


def describe_differences(study: Study) -> Iterator[StudyWarning]:
    """A note for each arm that differs from the control in settings, as the study allows."""
    of_arm: dict[tuple[str, str], list[str]] = {}
    for name, control, key, mine, theirs in _list_all_differences(study):
        of_arm.setdefault((name, control), []).append(f"{_shorten(key)} ({mine} vs {theirs})")
    for (name, control), settings in of_arm.items():
        yield StudyWarning(
            kind=DIFFERS,
            message=f"{name} also differs from {control} in {join_names(settings)}: the "
            "result is their combined effect.",
        )


def _list_all_differences(study: Study) -> Iterator[tuple[str, str, str, object, object]]:
    """Each with its arm, the control, the key, and both values."""
    control = study.control_arm
    if control is None or not get_method_traits(study.arms[control].method).has_checkpoint:
        return
    for name, arm in study.arms.items():
        for key, mine, theirs in _list_differences(study, arm, study.arms[control]):
            yield name, control, key, mine, theirs


def _shorten(key: str) -> str:
    """As `differs_in` calls it."""
    return key.removeprefix("training.")


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
    # Whatever the methods: who chooses by more seeds chooses better, and by shared ones is judged by luck.
    mine_by, theirs_by = get_tune(study, arm), get_tune(study, control)
    if mine_by and theirs_by and mine_by.seeds != theirs_by.seeds:
        unequal.append(("tune.seeds", _format_seeds(mine_by), _format_seeds(theirs_by)))
    return unequal


def _is_same_grid(one: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]]) -> bool:
    return {key: set(values) for key, values in one.items()} == {k: set(v) for k, v in other.items()}


def _format_grid(tried: dict[str, tuple[float, ...]]) -> str:
    shown = (f"{name} {', '.join(f'{value:g}' for value in values)}" for name, values in tried.items())
    return " x ".join(shown) or "no grid"


def _format_seeds(tune: Tune) -> str:
    return tune.seeds if tune.seeds == "shared" else ", ".join(map(str, tune.seeds))


def _describe_confounder(name: str, control: str, key: str, mine: object, theirs: object) -> str:
    what = "grid" if key == "tune" else "value"
    return (
        f"is {mine} for {name} and {theirs} for its control {control}: the difference between them would "
        f"be attributed to {name}; give both the same {what}, or set `differs_in: [{_shorten(key)}]`"
    )
