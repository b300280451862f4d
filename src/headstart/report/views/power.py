"""Views of what a study can show: of its contrasts, and of a leaderboard's ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from headstart.analysis.power import ContrastPower, Leaderboard, PowerAnalysis
from headstart.report.power import render_power
from headstart.report.views.base import ReportView
from headstart.report.views.frames import Row, flatten_row
from headstart.wording import format_count

#: What a table of its own holds, or the heading says.
_APART: Final = frozenset({"detectable_by_seeds", "detectable_by_pair", "cheapest_pair"})


def _summarise(analysis: PowerAnalysis) -> str:
    return f"{analysis.metric}, {', '.join(contrast.contrast for contrast in analysis.contrasts)}"


def _list_contrasts(analysis: PowerAnalysis) -> Iterator[Row]:
    for contrast in analysis.contrasts:
        values = flatten_row({k: v for k, v in contrast.to_dict().items() if k not in _APART})
        ends = {name: values.pop(name) for name in list(values) if name.endswith("_range")}
        yield (
            values
            | {
                f"{name}_{end}": span[place] if span else None
                for name, span in ends.items()
                for place, end in enumerate(("low", "high"))
            }
            | _dump_cheapest(contrast)
        )


def _dump_cheapest(contrast: ContrastPower) -> dict[str, int | None]:
    if contrast.difference is None:
        return {}
    pair = contrast.cheapest_pair
    return {
        "cheapest_seeds": pair.n_seeds if pair else None,
        "cheapest_test_examples": pair.n_examples if pair else None,
    }


def _list_detectable(analysis: PowerAnalysis) -> Iterator[Row]:
    """The smallest difference that is shown, for each number of seeds and of test examples."""
    for contrast in analysis.contrasts:
        for count, by_seeds in contrast.detectable_by_pair.items():
            for n_seeds, difference in by_seeds.items():
                yield {
                    "contrast": contrast.contrast,
                    "n_seeds": n_seeds,
                    "test_examples": count,
                    "detectable_difference": difference,
                }


def _summarise_ranks(leaderboard: Leaderboard) -> str:
    results = format_count(len(leaderboard.ranks), "result")
    return f"{leaderboard.metric}, {results} on {leaderboard.test_examples:,} test examples"


POWER: Final = ReportView(
    _summarise, render_power, {"contrasts": _list_contrasts, "detectable": _list_detectable}
)
LEADERBOARD: Final = ReportView(
    _summarise_ranks, render_power, {"ranks": lambda leaderboard: map(asdict, leaderboard.ranks)}
)
