"""Parameter counts in symbols, such as `2·D·F + D`: written, added up and evaluated; no other arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

#: What each symbol stands for, in the order in which a table explains them.
MEANINGS = {
    "V": "tokens in the vocabulary",
    "P": "positions",
    "S": "token types",
    "E": "width of embeddings",
    "D": "width",
    "L": "layers",
    "M": "layers but the first",
    "G": "groups of layers that share weights",
    "A": "width of all query heads",
    "K": "width of all key heads",
    "W": "width of one head",
    "H": "heads",
    "F": "width of the feed-forward layer",
    "B": "buckets of relative positions",
    "N": "tokens that the convolution sees",
    "C": "labels",
    "R": "rank of the adapters",
}


def evaluate(formula: str, symbols: Mapping[str, int]) -> int:
    """The number that a sum of products stands for.

    Raises:
        KeyError: a symbol has no value.
    """
    return sum(
        math.prod(_evaluate_factor(factor, symbols) for factor in product.split("·"))
        for product in _split_products(formula)
    )


def _evaluate_factor(factor: str, symbols: Mapping[str, int]) -> int:
    base = factor.removesuffix("²")
    value = int(base) if base.isdecimal() else symbols[base]
    return value * value if base != factor else value


def _split_products(formula: str) -> list[str]:
    return formula.split(" + ") if formula else []


def add_formulas(formulas: Iterable[str]) -> str:
    """The sum of formulas, like products together: `D` and `2·D + F` are `3·D + F`."""
    counts: Counter[str] = Counter()
    for product in (product for formula in formulas for product in _split_products(formula)):
        factor, _, others = product.partition("·")
        if factor.isdecimal():
            counts[others] += int(factor)
        else:
            counts[product] += 1
    return " + ".join(product if n == 1 else f"{n}·{product}" for product, n in counts.items())


def list_symbols(formulas: Iterable[str]) -> list[str]:
    """The symbols that formulas use, in the order of `MEANINGS`."""
    used = {character for formula in formulas for character in formula}
    return [symbol for symbol in MEANINGS if symbol in used]
