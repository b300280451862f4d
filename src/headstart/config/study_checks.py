"""Checks what keys of a study file say against each other; each gives problems as lines of `key: message`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from headstart.config.arm_section import Arm
from headstart.config.default_arms import is_bag_of_words
from headstart.config.limits import MOST_RUNS
from headstart.config.parallel import find_parallel_problems
from headstart.config.partial_start import format_start
from headstart.config.traits import TASKS, get_method_traits, get_task_traits
from headstart.wording import format_count

if TYPE_CHECKING:
    from headstart.config.study import Study


def find_problems(study: Study) -> Iterator[str]:
    """The problems of all checks, as lines of `key: message`."""
    for check in _CHECKS:
        yield from check(study)


def _check_metric(study: Study) -> Iterator[str]:
    if study.metric not in get_task_traits(study.task).metrics:
        yield (
            f"select.metric: {study.metric!r} is not a metric of {study.task}; "
            f"one of {', '.join(get_task_traits(study.task).metrics)} expected"
        )


def _check_control(study: Study) -> Iterator[str]:
    if study.control is not None and study.control not in study.arms:
        yield f"control: no arm is named {study.control!r}; the arms are {', '.join(study.arms)}"


def _check_labels(study: Study) -> Iterator[str]:
    if not isinstance(study.data.label, str) and study.task != "multi-label":
        yield f"data.label: a list of columns goes with task: multi-label, not with {study.task}"
    if study.data.label_names is not None and study.task != "multi-label":
        yield f"data.label_names: goes with task: multi-label, not with {study.task}"
    if study.data.is_pair and any(map(is_bag_of_words, study.arms.values())):
        yield "arms: bag-of-words reads one text, and data.text names two columns"


def _check_tune(study: Study) -> Iterator[str]:
    for name, arm in study.arms.items():
        if not get_method_traits(arm.method).is_tunable:
            if arm.tune is not None:
                yield f"arms.{name}.tune: {_explain_untunable(arm)}; no grid expected"
            continue
        tune = arm.tune or study.tune
        grid = tune.select(arm.method) if tune else None
        for key in grid.axes if grid else ():
            if key in arm.training.model_fields_set and getattr(arm.training, key) is not None:
                yield (
                    f"arms.{name}.training.{key}: is set beside a grid that tries values of it; "
                    f"give the arm its own grid: arms.{name}.tune"
                )


def _check_rates_of_arms(study: Study) -> Iterator[str]:
    """An arm has one method: rates by method are the study's to give."""
    for name, arm in study.arms.items():
        for key, section in (("training", arm.training), ("tune", arm.tune)):
            if section is not None and isinstance(section.learning_rate, dict):
                what = "one rate" if key == "training" else "one list of rates"
                yield (
                    f"arms.{name}.{key}.learning_rate: {what} expected, for an arm has one method; rates by "
                    f"method are the study's: {key}.learning_rate"
                )


def _explain_untunable(arm: Arm) -> str:
    if is_bag_of_words(arm):
        return "a bag of words chooses its own strength on valid"
    return f"method {arm.method} takes no learning rate"


def _check_tuning_seeds(study: Study) -> Iterator[str]:
    """A seed that chose a setting by its luck would be flattered by the same luck when it judges."""
    grids = {f"arms.{name}.tune": arm.tune for name, arm in study.arms.items()} | {"tune": study.tune}
    for key, grid in grids.items():
        both = sorted(set(grid.seeds) & set(study.seeds)) if grid and grid.seeds != "shared" else []
        if both:
            what = "seed" if len(both) == 1 else "seeds"
            yield (
                f"{key}.seeds: {what} {', '.join(map(str, both))} would both choose the setting and "
                "evaluate it; seeds that are not in `seeds` expected, or shared"
            )


def _check_methods(study: Study) -> Iterator[str]:
    task = get_task_traits(study.task)
    for name, arm in study.arms.items():
        method = get_method_traits(arm.method)
        if method.needs_pretrained and arm.init == "random":
            yield (
                f"arms.{name}.init: {arm.method} cannot start from random weights; "
                "give a random arm method: lora, or full"
            )
        elif method.needs_pretrained and (arm.init == "adapted" or not isinstance(arm.init, str)):
            yield (
                f"arms.{name}.init: {arm.method} reads a whole checkpoint, not {format_start(arm.init)}; "
                "give the arm method: lora, or full"
            )
        elif not method.has_checkpoint and not isinstance(arm.init, str):
            yield f"arms.{name}.init: {arm.method} starts from no checkpoint, so it keeps no part of one"
        if task.labels not in method.label_kinds and task.generates:
            yield (
                f"arms.{name}.method: {arm.method} predicts labels, but task: {study.task} needs "
                "generated answers"
            )
        elif task.labels not in method.label_kinds:
            known = ", ".join(one.name for one in TASKS.values() if one.labels in method.label_kinds)
            yield f"arms.{name}.method: {arm.method} goes with task: {known}, whose head must be trained"


def _check_runs(study: Study) -> Iterator[str]:
    """Counted by multiplying: nothing is expanded yet."""
    runs = sum(_count_runs(study, arm) for arm in study.arms.values())
    if runs > MOST_RUNS:
        things = {"arm": study.arms, "size": study.sizes, "seed": study.seeds}
        parts = ", ".join(format_count(len(of_kind), thing) for thing, of_kind in things.items())
        yield f"seeds: {runs:,} runs ({parts} and their grids); at most {MOST_RUNS:,} expected"


def _count_runs(study: Study, arm: Arm) -> int:
    tune = arm.tune or study.tune
    grid = tune.select(arm.method) if tune and get_method_traits(arm.method).is_tunable else None
    if grid is None:
        return len(study.sizes) * len(study.seeds)
    points = math.prod(map(len, grid.axes.values()))
    if grid.seeds == "shared":
        return len(study.sizes) * len(study.seeds) * points
    return len(study.sizes) * (len(study.seeds) + len(grid.seeds) * points)


def _check_samples(study: Study) -> Iterator[str]:
    if study.samples and not get_task_traits(study.task).generates:
        known = ", ".join(traits.name for traits in TASKS.values() if traits.generates)
        yield f"samples: prompts go with task: {known}, not with {study.task}"


_CHECKS: Final = (
    _check_metric,
    _check_control,
    _check_labels,
    _check_rates_of_arms,
    _check_tune,
    _check_tuning_seeds,
    _check_methods,
    _check_samples,
    find_parallel_problems,
    _check_runs,
)
