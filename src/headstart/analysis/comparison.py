"""A comparison of arms by one metric, as `headstart compare` makes it and reports render it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headstart.analysis.scores import ArmScores
from headstart.records import SCHEMA_VERSION, Contrast, Margin, OutcomeRow, StoppingRule, SummaryRow, WorthRow


@dataclass(frozen=True)
class Comparison:
    """Scores of one metric, summed up by arm and size, and each arm's contrast with its control.

    `control` is None where two studies are compared: an arm's is then its namesake in the first.
    """

    source: str
    metric: str
    control: str | None
    margin: Margin | None
    scores: tuple[ArmScores, ...]
    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]
    label_worth: tuple[WorthRow, ...] = ()
    step_worth: tuple[WorthRow, ...] = ()
    stopping_rule: StoppingRule | None = None
    outcomes: tuple[OutcomeRow, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`; scores as they are, 0.825 and not 82.5."""
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "metric": self.metric,
            "control": self.control,
            "margin": self.margin.model_dump() if self.margin else None,
            "stopping_rule": self.stopping_rule.model_dump() if self.stopping_rule else None,
            "summary": [row.model_dump() for row in self.summary],
            "contrasts": [row.model_dump() for row in self.contrasts],
            "outcomes": [row.model_dump() for row in self.outcomes],
            "label_worth": [row.model_dump() for row in self.label_worth],
            "step_worth": [row.model_dump() for row in self.step_worth],
        }
