"""What a study would do: its runs with those that are done, what is known of its data, and the cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headstart.config.arm_settings import find_rates
from headstart.config.runs import Run
from headstart.config.study import Arm, Study
from headstart.data.statistics import DataStatistics
from headstart.planning.cost import StudyCost
from headstart.planning.many_machines import ManyMachines
from headstart.records import SCHEMA_VERSION, StudyWarning
from headstart.shown import Shown


@dataclass(frozen=True, repr=False)
class Plan(Shown, view="headstart.report.views.study:PLAN"):
    """What `run` would do, by the keys of the runs that are `done`; `cost` is of those that are missing.

    `to_come` are the runs whose grid point tuning has yet to choose, each at another one in its place.
    `prompt_formats` says how models that answer are asked. `machines` is what many machines would take, where
    that was asked for.
    """

    study: Study
    runs: tuple[Run, ...]
    done: frozenset[str]
    data: DataStatistics
    cost: StudyCost
    warnings: tuple[StudyWarning, ...] = ()
    to_come: tuple[Run, ...] = ()
    prompt_formats: tuple[str, ...] = ()
    machines: ManyMachines | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of `plan.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.data.to_dict(),
            "prompt_formats": list(self.prompt_formats),
            "learning_rates": {name: _dump_rates(self.study, arm) for name, arm in self.study.arms.items()},
            "warnings": [warning.model_dump() for warning in self.warnings],
            "runs": [self._dump_run(run) for run in self.runs],
            "to_come": [{"arm": run.arm, "size": run.size, "seed": run.seed} for run in self.to_come],
            **self.cost.to_dict(),
        } | ({"machines": self.machines.to_dict()} if self.machines else {})

    def _dump_run(self, run: Run) -> dict[str, Any]:
        place = {"arm": run.arm, "size": run.size, "seed": run.seed, "hyperparameters": dict(run.grid_point)}
        return place | {"for_tuning": run.for_tuning, "key": run.key, "done": run.key in self.done}


def _dump_rates(study: Study, arm: Arm) -> dict[str, Any] | None:
    """An arm's learning rates, who set them, and what suits its method; None where that takes none."""
    rates = find_rates(study, arm)
    if rates is None:
        return None
    return {"values": list(rates.values), "source": rates.source, "suits_method": rates.suits_method}
