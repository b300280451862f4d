"""A model's parameters by part, as typed numbers: counts none itself, and starts without torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from headstart.errors import HeadstartError
from headstart.models.accounting.formulas import MEANINGS, evaluate, list_symbols

#: Where in a model a part stands, in the order of a table.
Place = Literal["embeddings", "block", "body", "pooler", "head", "lm-head"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
Kind = Literal["weights", "biases", "norms"]
#: What `omit` can name besides the parts themselves.
_GROUPS = ("biases", "norms", "embeddings", "blocks", "pooler", "head", "lm-head")


@dataclass(frozen=True)
class PartCount:
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "place": self.place,
            "part": self.part,
            "kind": self.kind,
            "formula": self.formula,
            "times": self.times,
            "each": self.each,
            "value": self.value,
            "count": self.count,
        }


def count_by_formula(
    place: Place, part: str, kind: Kind, formula: str, times_formula: str, symbols: Mapping[str, int]
) -> PartCount:
    """One line by its formulas alone, which nothing has walked: `count` is the formula's too."""
    times, each = evaluate(times_formula, symbols), evaluate(formula, symbols)
    return PartCount(place, part, kind, formula, times_formula, times, each, count=each * times)


@dataclass(frozen=True)
class ParameterBreakdown:
    """A model's parameters by part; `symbols` are the values behind the formulas."""

    parts: tuple[PartCount, ...]
    symbols: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(part.value for part in self.parts)

    @property
    def legend(self) -> tuple[tuple[str, int, str], ...]:
        """Each symbol that the formulas use, with its value and its meaning."""
        formulas = [formula for part in self.parts for formula in (part.formula, part.times_formula)]
        return tuple((symbol, self.symbols[symbol], MEANINGS[symbol]) for symbol in list_symbols(formulas))

    @property
    def as_sum(self) -> str:
        """The total as a sum of its parts: `16,384,000 + 132,096 + 4 x 1,572,864`."""
        layers = max((part.times for part in self.parts if part.place == "block"), default=1)
        block = [part for part in self.parts if part.place == "block" and part.times == layers]
        others = [part for part in self.parts if part not in block and part.value]
        terms = [f"{part.value:,}" for part in others]
        if block:
            # A layer's term stands where a layer stands in the model: after the embeddings.
            embeddings = [part.place == "embeddings" for part in others]
            index = embeddings.index(False) if False in embeddings else len(others)
            terms.insert(index, f"{layers} x {sum(part.each for part in block):,}")
        return " + ".join(terms)

    def omit(self, names: Collection[str]) -> ParameterBreakdown:
        """The same without the parts that `names` name: kinds, places or parts, as in `PartCount.names`.

        Raises:
            HeadstartError: a name is none of this model's.
        """
        known = {name for part in self.parts for name in part.names} | set(_GROUPS)
        for name in names:
            if name not in known:
                raise HeadstartError(
                    f"no part is called {name!r}",
                    where="--omit",
                    expected=", ".join([*_GROUPS, *sorted(known - set(_GROUPS))]),
                )
        kept = tuple(part for part in self.parts if not part.names & set(names))
        return replace(self, parts=kept)
