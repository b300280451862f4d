"""Counts parameters twice, by formulas and by walking the modules, and refuses to tell numbers that differ.

Formulas come from the configuration alone; the walk sees every parameter once, tied ones at their first name.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from headstart.errors import ModelError
from headstart.models.accounting.breakdown import PLACES, ParameterBreakdown, PartCount, count_by_formula
from headstart.models.accounting.families import FAMILIES
from headstart.models.accounting.heads import Head
from headstart.models.accounting.layers import Family, PartSpec, SectionSpec, list_parts, read_symbols
from headstart.records import Parameters

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def count_by_part(model: Any, config: Any, head: Head) -> ParameterBreakdown:
    """The parameters of `model`, whose weights may be on the meta device, part by part.

    Raises:
        ModelError: the family has no formulas, or formulas and walk do not agree; names every part in which
            they differ.
    """
    family = _find_family(model, config)
    symbols = read_symbols(config) | family.read_symbols(config)
    sections = sorted(family.specify(config, head), key=lambda section: PLACES.index(section.place))
    walked = _walk(model)
    parts = tuple(
        _count_part(section, part, symbols, walked) for section in sections for part in list_parts(section)
    )
    # Every part took what it counts out of `walked`.
    problems = [*_describe_differences(parts), *(f"{k} has {n:,} but no formula" for k, n in walked.items())]
    if problems:
        raise ModelError(
            "formulas and walk do not agree: " + "; ".join(problems[:5]) + ("; ..." if problems[5:] else ""),
            where=f"a {config.model_type} of {count_parameters(model).total:,} parameters",
            expected=f"{sum(part.value for part in parts):,} parameters, from its configuration",
            fix="see that config.json says what the model is; this number is unreliable",
        )
    return ParameterBreakdown(parts, symbols)


def _find_family(model: Any, config: Any) -> Family:
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ModelError(
            f"no formulas are known for a {config.model_type}, which has {count_parameters(model).total:,} "
            "parameters by walking its modules alone",
            where="params",
            expected=f"one of {', '.join(sorted(FAMILIES))}",
        )
    return family


def _walk(model: Any) -> dict[str, int]:
    """Weights in the parameters, by their names without the body's prefix and with `*` for numbers.

    A parameter of several names is counted at the first of them in the body.
    """
    prefix, first = f"{model.base_model_prefix}.", dict[int, tuple[str, int]]()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        known = first.get(id(parameter))
        if known is None or (name.startswith(prefix) and not known[0].startswith(prefix)):
            first[id(parameter)] = name, count_weights(parameter)
    walked = defaultdict[str, int](int)
    for name, weights in first.values():
        walked[_NUMBER.sub("*", name.removeprefix(prefix))] += weights
    return walked


def _count_part(
    section: SectionSpec, part: PartSpec, symbols: Mapping[str, int], walked: dict[str, int]
) -> PartCount:
    """The part by its formula and by the walk; takes what it counts out of `walked`: nothing counts twice."""
    counted = count_by_formula(section.place, part.part, part.kind, part.formula, section.times, symbols)
    return replace(counted, count=sum(walked.pop(name, 0) for name in part.parameters))


def _describe_differences(parts: Sequence[PartCount]) -> Iterator[str]:
    for part in parts:
        if part.value != part.count:
            yield f"{part.part} ({part.place}) has {part.count:,}, and {part.formula} gives {part.value:,}"


def count_parameters(model: nn.Module) -> Parameters:
    """Parameters of `model`, tied ones once, and each of those that lie two to a byte."""
    sizes = [(count_weights(p), p.requires_grad) for p in model.parameters()]
    return Parameters(total=sum(n for n, _ in sizes), trainable=sum(n for n, trains in sizes if trains))


def count_weights(parameter: torch.Tensor) -> int:
    """How many weights a parameter holds: in four bits, two lie in each byte that torch counts."""
    packed = getattr(parameter, "quant_state", None)
    return parameter.numel() if packed is None else math.prod(packed.shape)
