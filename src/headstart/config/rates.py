"""A study's learning rates as types: one for the arms of all methods, or one for each method by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag

from headstart.config.traits import METHODS, MethodName, check_method, get_method_traits

#: What pydantic puts into the location of an error, for what was given in place of the other.
FOR_ALL, BY_METHOD = "for-all-methods", "by-method"
LearningRate = Annotated[float, Field(gt=0, lt=10)]
_T = TypeVar("_T")


def _check_takes_rate(name: MethodName) -> MethodName:
    if not get_method_traits(check_method(name)).is_tunable:
        known = ", ".join(traits.name for traits in METHODS.values() if traits.is_tunable)
        raise ValueError(f"method {name} takes no learning rate; those that do are {known}")
    return name


def _choose_tag(value: Any) -> str:
    return BY_METHOD if isinstance(value, Mapping) else FOR_ALL


_Method = Annotated[MethodName, AfterValidator(_check_takes_rate)]
_ByMethod = Annotated[dict[_Method, _T], Field(min_length=1), Tag(BY_METHOD)]
#: A rate for the arms of all methods, or by method; arms of methods that are not named keep what suits these.
Rates = Annotated[Annotated[LearningRate, Tag(FOR_ALL)] | _ByMethod[LearningRate], Discriminator(_choose_tag)]
#: The same of rates to try; arms of methods that are not named try none.
RateGrids = Annotated[
    Annotated[tuple[LearningRate, ...], Tag(FOR_ALL)] | _ByMethod[tuple[LearningRate, ...]],
    Discriminator(_choose_tag),
]
