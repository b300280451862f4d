"""What verdicts go by: the family of contrasts that share the chance to err, the margin, a stopping rule."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.analysis.study_runs import StudyRuns
from headstart.analysis.training_question import describe_training_texts, find_shared_part
from headstart.config.metrics import LOWER_IS_BETTER, SHARES
from headstart.config.study import Data, Size, Study
from headstart.records import Margin, StoppingRule
from headstart.stats.paired_comparison import ALPHA, PairedComparison, Verdict, judge


@dataclass(frozen=True)
class Judging:
    """What verdicts of one metric's contrasts go by.

    `margin` is in points for shares, else in the metric's unit: differences within it are none that matter.
    `n_metrics` is how many metrics share the chance of a false verdict, `alpha`. `is_sequential`: seeds were
    added by a rule that looks at results, which the confidence sequence alone allows for. `data` says which
    training texts seeds learn from; None where that is not known.
    """

    metric: str
    margin: float | None = None
    n_metrics: int = 1
    alpha: float = ALPHA
    is_sequential: bool = False
    data: Data | None = None

    @property
    def lower_is_better(self) -> bool:
        """Whether less of the metric is better."""
        return self.metric in LOWER_IS_BETTER

    def judge(self, comparison: PairedComparison) -> Verdict:
        """By the interval that holds for all comparisons at once."""
        ends = (
            (comparison.sequence_low, comparison.sequence_high)
            if self.is_sequential
            else (comparison.family_low, comparison.family_high)
        )
        margin = self.margin
        scaled = margin / 100 if margin is not None and self.metric in SHARES else margin
        return judge(*ends, lower_is_better=self.lower_is_better, margin=scaled)

    def describe_training_texts(self, size: Size) -> str | None:
        """For which training texts a verdict holds; None where they are not known."""
        if self.data is None:
            return None
        return describe_training_texts(self.data, size, is_sequential=self.is_sequential)

    def find_shared_part(self, size: Size) -> float:
        """As `training_question.find_shared_part`."""
        return 0.0 if self.data is None else find_shared_part(self.data, size)


def find_margin(study: Study, metric: str) -> Margin | None:
    """The margin that the study file states for this metric: it is about the study's own alone."""
    if study.margin is None or metric != study.metric:
        return None
    return Margin(value=study.margin, stated="before the results")


def choose_judging(runs: StudyRuns, metric: str, margin: Margin | None, rule: StoppingRule | None) -> Judging:
    """Of a study's metric. Its main one has the whole chance to err; the others share it among all."""
    n_metrics = 1 if metric == runs.study.metric else len(runs.metrics)
    return Judging(
        metric,
        margin.value if margin else None,
        n_metrics,
        is_sequential=rule is not None,
        data=runs.study.data,
    )
