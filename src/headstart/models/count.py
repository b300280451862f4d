"""Counts a model's parameters twice, by formulas and by walking its modules, and refuses to say what differs.

Formulas come from the configuration alone; the walk sees every parameter once, tied ones at their first name.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import nn

from headstart.errors import HeadstartError, ModelError
from headstart.models.anatomy import Head, Layer, Norm, Place, Section, symbols_of
from headstart.models.decoders import DECODERS
from headstart.models.encoders import ENCODERS
from headstart.models.formulas import evaluate, total
from headstart.records import Parameters

Kind = Literal["weights", "biases", "norms"]
#: What a model is made of, by `model_type`: the families that packs are tested with.
FAMILIES = ENCODERS | DECODERS
#: What `omit` can name besides the parts themselves.
_GROUPS = ("biases", "norms", "embeddings", "blocks", "pooler", "head", "lm-head")
#: The order of a table.
_ORDER: tuple[Place, ...] = get_args(Place)
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class Row:
    """One line of the table: a part of a place, which the model has `times` times.

    `each` are the parameters of one, `value` those of all by the formula, `count` those of all by the walk.
    """

    place: Place
    part: str
    kind: Kind
    formula: str
    times_formula: str
    times: int
    each: int
    count: int

    @property
    def value(self) -> int:
        """All of them, by the formula."""
        return self.each * self.times

    @property
    def names(self) -> frozenset[str]:
        """What `omit` may call it."""
        place = "blocks" if self.place == "block" else self.place
        return frozenset(
            {self.part.replace(",", "").replace(" ", "-"), self.kind, place} - {"weights", "body"}
        )


@dataclass(frozen=True)
class Census:
    """A model's parameters by part; `symbols` are the values behind the formulas."""

    rows: tuple[Row, ...]
    symbols: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(row.value for row in self.rows)

    def without(self, names: Collection[str]) -> Census:
        """The same without the rows that `names` name: kinds, places or parts, as in `Row.names`.

        Raises:
            HeadstartError: a name is none of this model's.
        """
        known = {name for row in self.rows for name in row.names} | set(_GROUPS)
        for name in names:
            if name not in known:
                raise HeadstartError(
                    f"no part is called {name!r}",
                    where="--omit",
                    expected=", ".join([*_GROUPS, *sorted(known - set(_GROUPS))]),
                )
        left = tuple(row for row in self.rows if not row.names & set(names))
        return replace(self, rows=left)


def census(model: Any, config: Any, head: Head) -> Census:
    """The parameters of `model`, whose weights may be on the meta device, part by part.

    Raises:
        ModelError: the family has no formulas, or formulas and walk do not agree; names every part in which
            they differ.
    """
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ModelError(
            f"no formulas are known for a {config.model_type}, which has {count(model).total:,} parameters "
            "by walking its modules alone",
            where="params",
            expected=f"one of {', '.join(sorted(FAMILIES))}",
        )
    walked, symbols = _walk(model), symbols_of(config)
    sections = sorted(family(config, head, symbols), key=lambda section: _ORDER.index(section.place))
    rows = tuple(row for section in sections for row in _rows(section, symbols, walked))
    problems = [*_unequal(rows), *(f"{name} has {n:,} and no formula" for name, n in walked.items())]
    if problems:
        raise ModelError(
            "formulas and walk do not agree: " + "; ".join(problems[:5]) + ("; ..." if problems[5:] else ""),
            where=f"a {config.model_type} of {count(model).total:,} parameters",
            expected=f"{sum(row.value for row in rows):,} parameters, from its configuration",
            fix="see that config.json says what the model is; this number is not to be trusted",
        )
    return Census(rows, symbols)


def _unequal(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.value != row.count:
            yield f"{row.part} ({row.place}) has {row.count:,}, and {row.formula} gives {row.value:,}"


def _walk(model: Any) -> dict[str, int]:
    """Numbers in the parameters, by their names without the body's prefix and with `*` for numbers.

    A parameter of several names is counted at the first of them in the body.
    """
    prefix, first = f"{model.base_model_prefix}.", dict[int, tuple[str, int]]()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        known = first.get(id(parameter))
        if known is None or (name.startswith(prefix) and not known[0].startswith(prefix)):
            first[id(parameter)] = name, numbers_in(parameter)
    found = defaultdict[str, int](int)
    for name, numbers in first.values():
        found[_NUMBER.sub("*", name.removeprefix(prefix))] += numbers
    return found


def _rows(section: Section, symbols: Mapping[str, int], walked: dict[str, int]) -> Iterator[Row]:
    """The section's lines; what they count is taken out of `walked`."""

    def row(part: str, kind: Kind, formula: str, names: Sequence[str]) -> Row:
        times = evaluate(section.times, symbols)
        seen = sum(walked.pop(name, 0) for name in names)
        each = evaluate(formula, symbols)
        return Row(section.place, part, kind, formula, section.times, times, each, seen)

    layers = [layer for layer in section.layers if isinstance(layer, Layer)]
    norms = [norm for norm in section.layers if isinstance(norm, Norm)]
    for layer in layers:
        if layer.weight or layer.is_tied:
            yield row(layer.part, "weights", layer.weight, [f"{layer.module}.weight"])
        elif layer.is_bias_table:
            yield row(layer.part, "biases", layer.bias, [f"{layer.module}.weight"])
    if biases := [layer for layer in layers if layer.bias and not layer.is_bias_table]:
        names = [f"{layer.module}.bias" for layer in biases]
        yield row("biases", "biases", total(layer.bias for layer in biases), names)
    if norms:
        names = [f"{norm.module}.{kind}" for norm in norms for kind in ("weight", "bias")[: 1 + norm.shift]]
        yield row("norms", "norms", total(_size(norm) for norm in norms), names)


def _size(norm: Norm) -> str:
    return f"2·{norm.width}" if norm.shift else norm.width


def by_hand(counted: Census) -> str:
    """The total as people write it: `16,384,000 + 132,096 + 4 x 1,572,864`."""
    block = [row for row in counted.rows if row.place == "block" and row.times == _layers(counted)]
    rest = [row for row in counted.rows if row not in block and row.value]
    parts = [f"{row.value:,}" for row in rest]
    if block:
        at = next((i for i, row in enumerate(rest) if row.place != "embeddings"), len(rest))
        parts.insert(at, f"{block[0].times} x {sum(row.each for row in block):,}")
    return " + ".join(parts)


def _layers(counted: Census) -> int:
    return max((row.times for row in counted.rows if row.place == "block"), default=1)


def head_of(config: Any) -> Head:
    """What follows the body, by the architecture that a configuration names; none where it names no known."""
    name = (getattr(config, "architectures", None) or ["Model"])[0]
    heads: dict[str, Head] = {
        "ForMaskedLM": "masked-lm",
        "ForCausalLM": "causal-lm",
        "LMHeadModel": "causal-lm",
        "ForSequenceClassification": "classification",
    }
    return next((head for ending, head in heads.items() if name.endswith(ending)), "none")


def count(model: nn.Module) -> Parameters:
    """Parameters of `model`, tied ones once, and each of those that lie two to a byte."""
    sizes = [(numbers_in(p), p.requires_grad) for p in model.parameters()]
    return Parameters(total=sum(n for n, _ in sizes), trainable=sum(n for n, free in sizes if free))


def numbers_in(parameter: torch.Tensor) -> int:
    """How many weights a parameter holds: in four bits, two lie in each byte that torch counts."""
    packed = getattr(parameter, "quant_state", None)
    return parameter.numel() if packed is None else math.prod(packed.shape)
