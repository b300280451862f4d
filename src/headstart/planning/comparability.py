"""Warns of settings by which a comparison of arms says something else: rates, ranks, and frozen noise.

None is an error, for each may be meant. What an arm may not differ in from its control: `config.fairness`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from headstart.config.arm_settings import (
    ArmRates,
    RateSource,
    find_rates,
    format_init,
    get_grid_axes,
    is_drawn_in_part,
)
from headstart.config.fairness import describe_differences
from headstart.config.study import Arm, Study
from headstart.config.traits import get_method_traits
from headstart.records import Parameters, StudyWarning

#: A study's rate this many times a method's own, or less than one part in so many, is worth a warning.
_FAR: Final = 2.0
#: Stabilised scales that differ by more than this factor make updates of unlike size; rounding an alpha by
#: hand does not.
_UNLIKE: Final = 1.1
#: Rates that a random arm may try where all of it trains: around what random weights wanted in
#: docs/footguns.md, and what suits pretrained ones.
_RATES_OF_RANDOM: Final = "[3e-5, 1e-4, 3e-4, 1e-3]"


def warn_of_settings(study: Study, parameters: Mapping[str, Parameters | None]) -> Iterator[StudyWarning]:
    """What the study's settings make of its comparisons; `parameters` are counted, by arm."""
    yield from describe_differences(study)
    yield from _warn_of_rates(study)
    yield from _warn_of_grids(study)
    yield from _warn_of_ranks(study)
    yield from _warn_of_frozen_noise(study, parameters)


def _warn_of_rates(study: Study) -> Iterator[StudyWarning]:
    """A study's one rate, where it is far from what suits the methods of several arms."""
    common = _find_arms(study, "study")
    if isinstance(study.training.learning_rate, dict) or not _has_several_methods(study, common):
        return
    far = {name: rates for name, rates in common.items() if _is_far(rates.values[0], rates.suits_method)}
    if far:
        (rate,) = next(iter(far.values())).values
        methods = {study.arms[name].method: common[name] for name in common}
        each = ", ".join(f"{method}: {rates.suits_method:g}" for method, rates in methods.items())
        yield StudyWarning(
            kind="learning-rate",
            message=f"training.learning_rate {rate:g} is used for arms of several methods, "
            f"instead of the rates that suit them: {_list_own_rates(far)}; to set a "
            f"rate per method, write training: {{learning_rate: {{{each}}}}} (methods "
            "left out keep their default), or on the command line "
            f"training.learning_rate.{next(iter(methods))}={rate:g}",
        )


def _warn_of_grids(study: Study) -> Iterator[StudyWarning]:
    """A study's one grid, where it ends short of what suits the methods of several arms."""
    common = _find_arms(study, "study's grid")
    if not _has_several_methods(study, common):
        return
    outside = {
        name: rates
        for name, rates in common.items()
        if not min(rates.values) <= rates.suits_method <= max(rates.values)
    }
    if outside and study.tune and not isinstance(study.tune.learning_rate, dict):
        low, high = (f(study.tune.learning_rate or ()) for f in (min, max))
        method = study.arms[next(iter(outside))].method
        yield StudyWarning(
            kind="learning-rate-grid",
            message=f"tune.learning_rate tries {low:g} to {high:g}, but the rates that suit "
            f"{_list_own_rates(outside)} are outside this range: widen it, or give a "
            f"list per method, such as tune: {{learning_rate: {{{method}: [...]}}}} "
            "(methods left out are not tuned)",
        )


def _find_arms(study: Study, source: RateSource) -> dict[str, ArmRates]:
    """The arms whose rates come from there."""
    rates = {name: find_rates(study, arm) for name, arm in study.arms.items()}
    return {name: found for name, found in rates.items() if found and found.source == source}


def _has_several_methods(study: Study, arms: Mapping[str, object]) -> bool:
    """A study of one method has its rate for this method: nothing is replaced unawares."""
    return len({study.arms[name].method for name in arms}) > 1


def _is_far(rate: float, own: float) -> bool:
    # Rates are written in decimals: a factor of 2 is one, whatever binary fractions make of it.
    return max(rate / own, own / rate) >= _FAR * (1 - 1e-9)


def _list_own_rates(arms: Mapping[str, ArmRates]) -> str:
    return ", ".join(f"{name} ({rates.suits_method:g})" for name, rates in arms.items())


def _warn_of_ranks(study: Study) -> Iterator[StudyWarning]:
    """Adapters of several ranks whose updates differ in size too, unless each arm has its own best rate."""
    loras = {
        name: arm.lora
        for name, arm in study.arms.items()
        if arm.lora and "learning_rate" not in get_grid_axes(study, arm)
    }
    sizes = [lora.stabilised_scale for lora in loras.values()]
    if len({lora.r for lora in loras.values()}) > 1 and max(sizes) > _UNLIKE * min(sizes):
        first = {(lora.r, lora.scale): name for name, lora in reversed(loras.items())}
        shown = ", ".join(f"{name} r={r} scale {scale:.3g}" for (r, scale), name in reversed(first.items()))
        yield StudyWarning(
            kind="rank-and-scale",
            message=f"adapters differ both in rank and in the size of their updates: {shown}; "
            "their size grows with scale x sqrt(r). To compare ranks, leave alpha "
            "out, or set rslora: true with one alpha, or tune each arm's learning "
            "rate (tune)",
        )


def _warn_of_frozen_noise(
    study: Study, parameters: Mapping[str, Parameters | None]
) -> Iterator[StudyWarning]:
    """Random weights that stay as they are, but for a head and adapters, are no model that could learn."""
    for name, arm in study.arms.items():
        traits = get_method_traits(arm.method)
        if is_drawn_in_part(arm.init) and traits.freezes_base and traits.is_tunable:
            counted = parameters.get(name)
            yield StudyWarning(
                kind="frozen-noise",
                message=f"{name}: method {arm.method} trains {_describe_share(counted)} "
                f"{_describe_network(arm)}, which makes pretraining look better than it is. For a fair "
                f"{'random ' if arm.init == 'random' else ''}arm, "
                f"train all of it, at its own rate: {_write_random_arm(study, name)}",
            )


def _describe_network(arm: Arm) -> str:
    """What stays as it began, of an arm whose base is frozen and is no checkpoint as it lies."""
    if isinstance(arm.init, str):
        return "a random network; the rest stays at its random initialisation"
    if arm.init.shuffle:
        return "a shuffled network; the rest stays shuffled"
    return f"a network that is random but for its {arm.init}; the rest stays at its random initialisation"


def _describe_share(counted: Parameters | None) -> str:
    if counted is None:
        return "a part of"
    share = 100 * counted.trainable / counted.total
    return f"{share:.2g}% ({counted.trainable:,} of {counted.total:,} weights) of"


def _write_random_arm(study: Study, name: str) -> str:
    """The line of the study file that trains the arm whole; with which other arms have to be tuned alike."""
    tune = study.arms[name].tune or study.tune
    seeds = f", seeds: {tune.seeds if tune.seeds == 'shared' else list(tune.seeds)}" if tune else ""
    init = format_init(study.arms[name])
    line = f"{name}: {{init: {init}, method: full, tune: {{learning_rate: {_RATES_OF_RANDOM}{seeds}}}}}"
    whole = [other for other, arm in study.arms.items() if arm.method == "full" and other != name]
    alike = f", and the same tune in {', '.join(whole)}" if whole else ""
    return f"arms: {{{line}}}{alike}"
