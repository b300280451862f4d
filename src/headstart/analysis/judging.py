"""What verdicts go by: who shares the chance to err, looks before, the margin, a stopping rule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headstart.analysis.study_runs import StudyRuns
from headstart.analysis.training_question import describe_training_texts, find_shared_part
from headstart.config.metrics import MetricInfo, describe_metric
from headstart.config.sizes import Size
from headstart.config.study import Data, Study
from headstart.records import Contrast, Look, Margin, StoppingRule
from headstart.stats.compared import PairedComparison
from headstart.stats.looks import compute_look_alpha
from headstart.stats.sequential import SequenceKind
from headstart.stats.verdicts import Verdict, judge


def select_ends(
    found: PairedComparison | Contrast, *, is_sequential: bool
) -> tuple[float | None, float | None]:
    """The ends of the interval that verdicts follow: the one that holds for all comparisons at once, or the
    confidence sequence, which does so too, where seeds were added by a rule."""
    if is_sequential:
        return found.sequence_low, found.sequence_high
    return found.family_low, found.family_high


@dataclass(frozen=True)
class Judging:
    """What verdicts of one metric's contrasts go by.

    `margin` is in points for shares, else in the metric's unit: differences within it are none that matter.
    `n_metrics` is how many metrics share the chance of a false verdict, `alpha`, which falls with `n_looks`,
    how often results were looked at, now among them. `is_sequential`: seeds were added by a rule that looks
    at results, which the confidence sequence alone allows for; it is made by `sequence`. `data` says which
    training examples seeds learn from; None where that is not known. `of_models`: what is compared are the
    very models of a single run, whose intervals are over examples alone.
    """

    metric: MetricInfo
    margin: float | None = None
    n_metrics: int = 1
    n_looks: int = 1
    is_sequential: bool = False
    sequence: SequenceKind = "signs"
    data: Data | None = None
    of_models: bool = False

    @property
    def alpha(self) -> float:
        """The chance that this look finds any false verdict."""
        return compute_look_alpha(self.n_looks)

    def judge(self, comparison: PairedComparison) -> Verdict:
        """By the interval that holds for all comparisons at once."""
        ends = select_ends(comparison, is_sequential=self.is_sequential)
        lower_is_better = self.metric.lower_is_better
        if not self.is_sequential and ends[0] is None and self._decides_by_signs(comparison):
            return "better" if (comparison.difference > 0) != lower_is_better else "worse"
        margin = None if self.margin is None else self.margin / self.metric.points
        return judge(*ends, lower_is_better=lower_is_better, margin=margin)

    def _decides_by_signs(self, comparison: PairedComparison) -> bool:
        """Whether differences without spread, which have no interval, have signs that chance seldom gives."""
        p = comparison.p_sign_flip
        return p is not None and p * comparison.n_tests < self.alpha

    def describe_training_texts(self, comparison: PairedComparison, size: Size) -> str | None:
        """For which training examples a verdict holds; None where they are not known.

        Of seeds' signs, of a confidence sequence and of arms that share no seed nothing tells what all seeds
        share.
        """
        if self.data is None:
            return None
        has_interval = comparison.low is not None and comparison.n_control_seeds is None
        return describe_training_texts(self.data, size, is_corrected=has_interval and not self.is_sequential)

    def find_shared_part(self, size: Size) -> float:
        """As `training_question.find_shared_part`."""
        return 0.0 if self.data is None else find_shared_part(self.data, size)


def find_margin(study: Study, metric: str, looks: Sequence[Look] = ()) -> Margin | None:
    """The margin that the study file states for this metric: it is about the study's own alone.

    Args:
        looks: when results were seen; one with another margin, or none, makes this one an afterthought.
    """
    if study.margin is None or metric != study.metric:
        return None
    is_new = any(look.margin != study.margin for look in looks)
    return Margin(value=study.margin, stated="after the results" if is_new else "before the results")


def list_earlier_looks(looks: Sequence[Look], seeds: Collection[int]) -> tuple[Look, ...]:
    """The looks at other seeds than these that could give a verdict, which takes two.

    Other arms and sizes at the same seeds are more contrasts, and no further look.
    """
    return tuple(look for look in looks if len(look.seeds) > 1 and set(look.seeds) != set(seeds))


def choose_judging(
    runs: StudyRuns,
    metric: str,
    margin: Margin | None,
    rule: StoppingRule | None,
    looks: Sequence[Look] = (),
) -> Judging:
    """Of a study's metric. Its main one has the whole chance to err; the others share it among all."""
    n_metrics = 1 if metric == runs.study.metric else len(runs.metrics)
    return Judging(
        describe_metric(metric),
        margin.value if margin else None,
        n_metrics,
        n_looks=1 if rule else 1 + len(list_earlier_looks(looks, runs.study.seeds)),
        is_sequential=rule is not None,
        sequence=rule.sequence if rule else "signs",
        data=runs.study.data,
    )
