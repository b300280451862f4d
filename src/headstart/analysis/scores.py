"""Test scores by arm, size and seed, with the predictions for each test example; compares nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from headstart.analysis.measured_tests import MeasuredTest, ReadPredictions, read_tests
from headstart.analysis.study_runs import StudyRuns, list_cells
from headstart.config.metrics import MetricInfo
from headstart.config.sizes import Size
from headstart.records import RunRecord, SummaryRow
from headstart.stats.compared import PairedScores
from headstart.stats.example_intervals import estimate_examples_interval
from headstart.stats.groups import are_same_groups, count_groups, join_groups
from headstart.stats.measures import ExampleMetric, resample_all
from headstart.stats.resample import draw_example_counts
from headstart.stats.summary import summarise_values

#: An arm at one training-set size: a row of the tables.
Cell = tuple[str, Size]
_T = TypeVar("_T")


@dataclass(frozen=True)
class ArmScores:
    """What an arm scored on test by one metric after learning from `train_examples`, by seed.

    `measures` are the same as functions of the test examples, where predictions are known, and `resampled`
    the scores [D] on resampled examples; `by_prompt` [N] are what a language model scores on each example by
    itself, which need not be parts of the metric, and empty for others. `test_digest` tells one set of
    `n_examples` test examples from another; `groups` [N] are theirs, None where each is by itself. `rounding`
    is the unit of the last decimal that scores of a file are written with.
    """

    arm: str
    size: Size
    train_examples: int | None
    by_seed: Mapping[int, float]
    measures: Mapping[int, ExampleMetric] = field(default_factory=dict, repr=False)
    resampled: Mapping[int, np.ndarray] = field(default_factory=dict, repr=False)
    by_prompt: Mapping[int, np.ndarray] = field(default_factory=dict, repr=False)
    test_digest: str | None = None
    n_examples: int = 0
    groups: np.ndarray | None = field(default=None, repr=False)
    rounding: float = 0.0

    @property
    def cell(self) -> Cell:
        """The row of the tables that it stands in."""
        return self.arm, self.size

    def find_extreme_seeds(self, metric: MetricInfo) -> tuple[int, int]:
        """The seeds of the worst and of the best score."""
        ordered = sorted(self.by_seed, key=lambda seed: self.by_seed[seed])
        return (ordered[-1], ordered[0]) if metric.lower_is_better else (ordered[0], ordered[-1])


def collect_scores(
    runs: StudyRuns, metrics: Sequence[str], read: ReadPredictions
) -> dict[str, list[ArmScores]]:
    """By metric, the scores of each arm and size that has some, with measures where `read` knows predictions.

    The predictions of a run are read once, whatever the number of metrics.
    """
    collected: dict[str, list[ArmScores]] = {metric: [] for metric in metrics}
    for size, arm in list_cells(runs.study):
        chosen = runs.select_chosen(arm, size)
        tests = {run.seed: read_tests(run.key, metrics, read) for run in chosen}
        for metric in metrics:
            with_metric = [run for run in chosen if run.test and metric in run.test]
            if not with_metric:
                continue
            of_metric = {
                run.seed: tests[run.seed][metric] for run in with_metric if metric in tests[run.seed]
            }
            collected[metric].append(_make_arm_scores(with_metric, metric, of_metric))
    return collected


def _make_arm_scores(runs: Sequence[RunRecord], metric: str, tests: Mapping[int, MeasuredTest]) -> ArmScores:
    """Of one cell's runs; predictions count of those that were tested on the same examples as the first."""
    first = next(iter(tests.values()), None)
    same = {seed: test for seed, test in tests.items() if first and test.digest == first.digest}
    return ArmScores(
        arm=runs[0].arm,
        size=runs[0].size,
        train_examples=runs[0].train_examples,
        by_seed={run.seed: run.test[metric] for run in runs if run.test},
        measures={seed: test.measures[metric] for seed, test in same.items() if metric in test.measures},
        by_prompt={seed: test.by_prompt[metric] for seed, test in same.items() if metric in test.by_prompt},
        test_digest=first.digest if first else None,
        n_examples=first.n_examples if first else 0,
        groups=join_groups(test.groups for test in same.values()),
    )


def bootstrap_examples(scores: Iterable[ArmScores], generator: np.random.Generator) -> list[ArmScores]:
    """The scores with `resampled` filled in: the same resamples for all that share a test set.

    Whole groups of examples are drawn where there are some; of a single group nothing can be.
    """
    scores = list(scores)
    by_test: defaultdict[str, list[ArmScores]] = defaultdict(list)
    for arm_scores in scores:
        if arm_scores.measures and arm_scores.test_digest:
            by_test[arm_scores.test_digest].append(arm_scores)
    resampled: dict[Cell, dict[int, np.ndarray]] = {}
    for tested in by_test.values():
        groups = join_groups(arm_scores.groups for arm_scores in tested)
        if count_groups(groups) == 1:
            continue
        places = [(arm_scores.cell, seed) for arm_scores in tested for seed in arm_scores.measures]
        measures = [arm_scores.measures[seed] for arm_scores in tested for seed in arm_scores.measures]
        drawn = draw_example_counts(tested[0].n_examples, generator, groups=groups)
        chunks = [resample_all(measures, counts) for counts in drawn]
        for (cell, seed), parts in zip(places, zip(*chunks, strict=True), strict=True):
            resampled.setdefault(cell, {})[seed] = np.concatenate(parts)
    return [replace(arm_scores, resampled=resampled.get(arm_scores.cell, {})) for arm_scores in scores]


def summarise_scores(scores: ArmScores, metric: MetricInfo) -> SummaryRow:
    """Centres, deviations, intervals, and the worst and best seed."""
    worst, best = scores.find_extreme_seeds(metric)
    values = np.array(list(scores.by_seed.values()))
    figures = summarise_values(values, scores.rounding, metric.bounds)
    examples_low, examples_high = _find_examples_interval(scores, metric, figures.mean) or (None, None)
    return SummaryRow(
        arm=scores.arm,
        size=scores.size,
        metric=metric.name,
        n_seeds=figures.n,
        mean=figures.mean,
        std=figures.std,
        std_population=figures.std_population,
        seeds_low=figures.low,
        seeds_high=figures.high,
        examples_low=examples_low,
        examples_high=examples_high,
        worst_seed=worst,
        best_seed=best,
        median=figures.median,
        iqm=figures.iqm,
        one_more_low=figures.one_more_low,
        one_more_high=figures.one_more_high,
    )


def _find_examples_interval(scores: ArmScores, metric: MetricInfo, mean: float) -> tuple[float, float] | None:
    """Over test examples, where these are known of every seed."""
    return estimate_examples_interval(
        mean,
        stack_known([test.by_example for test in _list_of_every_seed(scores, scores.measures)]),
        stack_known(_list_of_every_seed(scores, scores.resampled)),
        metric.bounds,
        groups=scores.groups,
        is_correlation=metric.is_number_correlation,
    )


def _list_of_every_seed(scores: ArmScores, by_seed: Mapping[int, _T]) -> list[_T]:
    """What each seed has; nothing where one has none."""
    return list(by_seed.values()) if by_seed.keys() == scores.by_seed.keys() else []


def list_shared_seeds(scores: ArmScores, other: ArmScores) -> list[int]:
    """The seeds that both have, in order."""
    return sorted(scores.by_seed.keys() & other.by_seed.keys())


def pair_scores(cells: Sequence[ArmScores], seeds: Sequence[int]) -> list[PairedScores]:
    """Each over these seeds; over examples too where all were tested on the same, and these are known.

    Groups of examples that one knows hold for all: the examples are the same.
    """
    is_known = len({scores.test_digest for scores in cells}) == 1
    is_known = is_known and all(seed in scores.measures for scores in cells for seed in seeds)
    if not is_known:
        return [PairedScores(_list_by_seed(scores, seeds), rounding=scores.rounding) for scores in cells]
    groups = join_groups(scores.groups for scores in cells)
    return [_make_paired_scores(scores, seeds, groups) for scores in cells]


def _make_paired_scores(scores: ArmScores, seeds: Sequence[int], groups: np.ndarray | None) -> PairedScores:
    resampled = stack_known([scores.resampled.get(seed) for seed in seeds])
    return PairedScores(
        by_seed=_list_by_seed(scores, seeds),
        by_example=stack_known([scores.measures[seed].by_example for seed in seeds]),
        resampled=None if resampled is None else resampled.T,
        groups=groups,
    )


def _list_by_seed(scores: ArmScores, seeds: Sequence[int]) -> np.ndarray:
    return np.array([scores.by_seed[seed] for seed in seeds])


def have_other_groups(scores: Sequence[ArmScores]) -> bool:
    """Whether some that were tested on the same examples know other groups of them."""
    by_test: defaultdict[str, list[np.ndarray | None]] = defaultdict(list)
    for arm_scores in scores:
        if arm_scores.measures and arm_scores.test_digest:
            by_test[arm_scores.test_digest].append(arm_scores.groups)
    return any(not are_same_groups(groups) for groups in by_test.values())


def stack_known(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """All of them in one array; None where there are none, or one is not known."""
    known = [part for part in parts if part is not None]
    return np.stack(known) if known and len(known) == len(parts) else None
