"""What an arm sets once the study's defaults are in: checkpoint, training settings, and its grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from headstart.config.partial_start import NAMED_STARTS, PartialStart, format_start
from headstart.config.study import Arm, Study, Training, Tune
from headstart.config.traits import get_method_traits

#: One point of a tuned arm's grid, as (name, value) in the order of `Training`; empty where none is tuned.
GridPoint = tuple[tuple[str, float], ...]
#: Who sets an arm's learning rates; `method`: nobody, so that what suits its method stands.
RateSource = Literal["arm", "arm's grid", "study", "study's grid", "method"]


def get_checkpoint(study: Study, arm: Arm) -> str:
    """The checkpoint whose architecture, and unless random whose weights, the arm starts from."""
    is_named = isinstance(arm.init, str) and arm.init not in NAMED_STARTS
    return str(arm.init) if is_named else study.model


def get_partial_start(arm: Arm) -> PartialStart | None:
    """Which part of the checkpoint the arm starts from; None where it takes all or nothing of it."""
    has_checkpoint = get_method_traits(arm.method).has_checkpoint
    return arm.init if isinstance(arm.init, PartialStart) and has_checkpoint else None


def format_init(arm: Arm) -> str:
    """Where the arm starts, as a study file has it in a line."""
    return format_start(arm.init)


def is_pretrained(arm: Arm) -> bool:
    """Whether the arm starts from a checkpoint's weights, all of them as they are."""
    return is_whole_checkpoint(arm.init) and get_method_traits(arm.method).has_checkpoint


def is_whole_checkpoint(init: str | PartialStart) -> bool:
    """Whether a start is a checkpoint as it lies, so that what is saved of a run need not hold its base."""
    return isinstance(init, str) and init not in ("random", "adapted")


def is_adapted(arm: Arm) -> bool:
    """Whether the arm starts from the checkpoint as it was pretrained on the study's own texts."""
    return arm.init == "adapted" and get_method_traits(arm.method).has_checkpoint


def is_drawn_in_part(init: str | PartialStart) -> bool:
    """Whether weights of a start's body are random, or shuffled."""
    return init == "random" or not isinstance(init, str)


def takes_weights(init: str | PartialStart) -> bool:
    """Whether a start has weights of a checkpoint at all: vectors of the study's own texts are none."""
    return init != "random" and not (isinstance(init, PartialStart) and init.embeddings)


def name_checkpoint(checkpoint: str) -> str:
    """What others are told of a checkpoint: its hub id or asset; of a folder the name, not where it lies."""
    path = Path(checkpoint)
    return path.name if path.is_absolute() and path.name else checkpoint


def get_tune(study: Study, arm: Arm) -> Tune | None:
    """How the arm is tuned; None where it is not."""
    tune = arm.tune or study.tune
    return tune.select(arm.method) if tune and get_method_traits(arm.method).is_tunable else None


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


@dataclass(frozen=True)
class ArmRates:
    """The learning rates that an arm has, one where it tries none, and where they come from.

    `suits_method` is the rate that suits its method where a study names none.
    """

    values: tuple[float, ...]
    source: RateSource
    suits_method: float


def find_rates(study: Study, arm: Arm) -> ArmRates | None:
    """The arm's learning rates; None where its method takes none."""
    traits = get_method_traits(arm.method)
    if not traits.is_tunable:
        return None
    if tried := get_grid_axes(study, arm).get("learning_rate"):
        source: RateSource = "arm's grid" if arm.tune else "study's grid"
        return ArmRates(tried, source, traits.learning_rate)
    rate, source = _find_rate(study, arm)
    return ArmRates((rate,), source, traits.learning_rate)


def _find_rate(study: Study, arm: Arm) -> tuple[float, RateSource]:
    """The arm's own rate, else the study's, for all methods or for this one, else what suits the method."""
    is_own = "learning_rate" in arm.training.model_fields_set
    given = arm.training.learning_rate if is_own else study.training.learning_rate
    rate = given.get(arm.method) if isinstance(given, dict) else given
    if rate is None:
        return get_method_traits(arm.method).learning_rate, "method"
    return rate, "arm" if is_own else "study"


def resolve_training(study: Study, arm: Arm) -> Training:
    """The arm's settings over the study's, with the learning rate that suits the method where none is set.

    A tuned arm's grid is not in them: each of its runs has a point of it in place of these values.
    """
    training = study.training.override(arm.training)
    return training.model_copy(update={"learning_rate": _find_rate(study, arm)[0]})
