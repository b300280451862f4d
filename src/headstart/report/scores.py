"""Test scores by arm, size and seed, with what each model said of each text; compares nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.config.metrics import LOWER_IS_BETTER
from headstart.config.study import Size
from headstart.records import SummaryRow
from headstart.stats.measures import (
    Mean,
    Measure,
    class_measures,
    draw_all,
    label_measures,
    number_measures,
    token_measures,
)
from headstart.stats.resample import percentile_interval, text_counts
from headstart.stats.summary import summarise
from headstart.stats.versus import Sides
from headstart.store.predictions import Predictions


@dataclass
class Scores:
    """What an arm scored with so many training `labels`, by seed.

    `measures` are the same as functions of the test texts, where predictions are known, and `drawn` the
    scores [D] on texts drawn anew. `tested_on` tells one set of so many test `texts` from another.
    """

    arm: str
    size: Size
    labels: int | None = None
    by_seed: dict[int, float] = field(default_factory=dict)
    measures: dict[int, Measure] = field(default_factory=dict)
    drawn: dict[int, np.ndarray] = field(default_factory=dict)
    tested_on: str | None = None
    texts: int = 0

    def add(self, seed: int, predictions: Predictions | None, metric: str) -> None:
        """Take in what the model of one seed said."""
        if predictions is None:
            return
        if self.tested_on is None:
            self.tested_on, self.texts = predictions.digest, len(predictions.true)
        found = measure(predictions, metric)
        if found is not None and predictions.digest == self.tested_on:
            self.measures[seed] = found

    def extremes(self, metric: str) -> tuple[int, int]:
        """The seeds of the worst and of the best score."""
        ordered = sorted(self.by_seed, key=lambda seed: self.by_seed[seed])
        return (ordered[-1], ordered[0]) if metric in LOWER_IS_BETTER else (ordered[0], ordered[-1])


def measure(predictions: Predictions, metric: str) -> Measure | None:
    """The metric as a function of the texts; None where predictions do not tell it."""
    if predictions.kind == "tokens" and predictions.losses is not None:
        return token_measures(predictions.true, predictions.losses, predictions.said).get(metric)
    if metric == "loss" and predictions.losses is not None:
        return Mean(predictions.losses)
    return _measures(predictions).get(metric)


def _measures(predictions: Predictions) -> Mapping[str, Measure]:
    true, said = predictions.true, predictions.said
    if predictions.kind == "classes":
        return class_measures(true, said, predictions.classes)
    if predictions.kind == "labels":
        return label_measures(true, said)
    if predictions.kind == "numbers":
        return number_measures(true, said)
    found: dict[str, Measure] = {"exact_match": Mean(said)}
    return found if predictions.stopped is None else found | {"stopped": Mean(predictions.stopped)}


def draw_texts(found: Iterable[Scores], generator: np.random.Generator) -> None:
    """Score every model on test texts drawn anew, the same draws for all that were tested on the same."""
    tested: defaultdict[str, list[Scores]] = defaultdict(list)
    for one in found:
        if one.measures and one.tested_on:
            tested[one.tested_on].append(one)
    for scores in tested.values():
        places = [(one, seed) for one in scores for seed in one.measures]
        measures = [one.measures[seed] for one, seed in places]
        chunks = [draw_all(measures, counts) for counts in text_counts(scores[0].texts, generator)]
        for (one, seed), drawn in zip(places, zip(*chunks, strict=True), strict=True):
            one.drawn[seed] = np.concatenate(drawn)


def summary_row(one: Scores, metric: str) -> SummaryRow:
    """Mean, deviations, both intervals, and the worst and best seed."""
    worst, best = one.extremes(metric)
    known = one.drawn.keys() == one.by_seed.keys()
    low, high = (
        percentile_interval(np.mean(list(one.drawn.values()), axis=0))
        if known and one.drawn
        else (None, None)
    )
    return SummaryRow(
        arm=one.arm,
        size=one.size,
        metric=metric,
        **summarise(np.array(list(one.by_seed.values()))).__dict__,
        texts_low=low,
        texts_high=high,
        worst_seed=worst,
        best_seed=best,
    )


def shared_seeds(one: Scores, against: Scores) -> list[int]:
    """The seeds that both have, in order."""
    return sorted(one.by_seed.keys() & against.by_seed.keys())


def sides(cells: Sequence[Scores], seeds: Sequence[int]) -> list[Sides]:
    """Each over these seeds; over texts too where all were tested on the same and what was said is known."""
    is_known = len({own.tested_on for own in cells}) == 1
    is_known = is_known and all(seed in own.measures for own in cells for seed in seeds)
    return [_side(own, seeds) if is_known else Sides(_by_seed(own, seeds)) for own in cells]


def _side(one: Scores, seeds: Sequence[int]) -> Sides:
    by_text = stacked([one.measures[seed].by_text for seed in seeds])
    drawn = stacked([one.drawn.get(seed) for seed in seeds])
    return Sides(_by_seed(one, seeds), by_text, None if drawn is None else drawn.T)


def _by_seed(one: Scores, seeds: Sequence[int]) -> np.ndarray:
    return np.array([one.by_seed[seed] for seed in seeds])


def stacked(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """All of them in one array; None where there are none, or one is not known."""
    known = [part for part in parts if part is not None]
    return np.stack(known) if known and len(known) == len(parts) else None
