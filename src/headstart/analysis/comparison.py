"""A comparison of arms by one metric, as `headstart compare` makes it and reports render it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from headstart.analysis.collapse_words import warn_of_collapsed
from headstart.analysis.details.curves import ArmCurve
from headstart.analysis.ranking import Ranking
from headstart.analysis.scores import ArmScores
from headstart.config.metrics import MetricInfo
from headstart.records import (
    SCHEMA_VERSION,
    Contrast,
    Look,
    Margin,
    OutcomeRow,
    Reference,
    StoppingRule,
    SummaryRow,
    TierRow,
    WorthRow,
)
from headstart.records.answers import WrittenAnswers
from headstart.shown import Shown


@dataclass(frozen=True, repr=False)
class Comparison(Shown, view="headstart.report.views.comparison:COMPARISON"):
    """Scores of one metric, summed up by arm and size, and each arm's contrast with its control.

    `control` is None where two studies are compared: an arm's is then its namesake in the first. Where arms
    are ranked among themselves it is None too: `tiers` say which may be the best, by contrasts of all pairs.
    `of_models` is whether a single run of each arm is compared, and `notes` say what of the source was used.
    `earlier_looks` are those at a study's results before it had the seeds it has.
    `reference` is what always giving the same answer scores; None where no labels are known.
    `grid_choice` says how grid points of tuned arms were chosen; empty where none was, or it is not known.
    `curves` are the mean curves of a study's arms, where runs were made of epochs.
    `ranking` ranks the arms of a study, or of a table of scores, beside the contrasts with their control.
    """

    source: str
    info: MetricInfo
    control: str | None
    margin: Margin | None
    scores: tuple[ArmScores, ...]
    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]
    label_worth: tuple[WorthRow, ...] = ()
    step_worth: tuple[WorthRow, ...] = ()
    stopping_rule: StoppingRule | None = None
    earlier_looks: tuple[Look, ...] = ()
    grid_choice: str = ""
    tiers: tuple[TierRow, ...] = ()
    of_models: bool = False
    notes: tuple[str, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    ranking: Ranking | None = None
    answers: WrittenAnswers | None = None
    reference: Reference | None = None
    curves: tuple[ArmCurve, ...] = ()

    @property
    def metric(self) -> str:
        """Its name."""
        return self.info.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`; scores as they are, 0.825 and not 82.5."""
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "metric": self.metric,
            "lower_is_better": self.info.lower_is_better,
            "unit": self.info.unit,
            "control": self.control,
            "margin": self.margin.model_dump() if self.margin else None,
            "stopping_rule": self.stopping_rule.model_dump() if self.stopping_rule else None,
            "earlier_looks": [look.model_dump(mode="json") for look in self.earlier_looks],
            "grid_choice": self.grid_choice or None,
            "summary": [row.model_dump() for row in self.summary],
            "contrasts": [row.model_dump() for row in self.contrasts],
            "outcomes": [row.model_dump() for row in self.outcomes],
            "reference": self.reference.model_dump(mode="json") if self.reference else None,
            "tiers": [row.model_dump() for row in self.tiers],
            "ranking": self.ranking.to_dict() if self.ranking else None,
            "answers": self.answers.model_dump(mode="json") if self.answers else None,
            "notes": list(self.notes),
            "warnings": [warning.model_dump() for warning in warn_of_collapsed(self.outcomes)],
            "curves": [asdict(curve) for curve in self.curves],
            "label_worth": [row.model_dump() for row in self.label_worth],
            "step_worth": [row.model_dump() for row in self.step_worth],
        }
