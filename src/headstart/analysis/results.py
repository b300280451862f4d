"""The results of a study: its findings, the folder that holds everything, and what is still missing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.analysis.findings import Findings
from headstart.config.study import Study
from headstart.planning.placement import Placement
from headstart.planning.tuning import find_needed_runs, list_runs_to_come
from headstart.records import EpochPoint, RunRecord
from headstart.shown import Shown, load_object

if TYPE_CHECKING:
    from headstart.analysis.comparison import Comparison


@dataclass(frozen=True, repr=False)
class Results(Shown, view="headstart.report.views.study:RESULTS"):
    """What `headstart.run` and `headstart.load` give.

    Example:
        results = headstart.load("runs/study")
        print(results)  # the table that the study ended with
        results.frame()  # pandas: a row for each run; "curves", "contrasts" and others by name
        for run in results.runs:
            print(run.key, run.status, run.test)

    Attributes:
        findings: what the records say together: `summary`, `contrasts`, `label_worth`, `step_worth`.
        out: the folder of the study.
        placement: where it trained; None where nothing was trained in this call.
    """

    findings: Findings
    out: Path
    placement: Placement | None = None

    @property
    def study(self) -> Study:
        """The study, every default filled in."""
        return self.findings.study

    @property
    def arms(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.study.arms)

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """One record for each run that ended: arm, size, seed, metrics on valid and test, epochs, costs."""
        return self.findings.records

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The same as `records`."""
        return self.records

    @property
    def curves(self) -> Mapping[str, tuple[EpochPoint, ...]]:
        """By the key of each run its epochs: training loss, rate, and metrics."""
        return {record.key: record.epochs for record in self.records}

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the runs that the study asks for and that are not done; a failed one is tried again.

        Of tuned arms those that are to be judged count once tuning has ended.
        """
        done = {record.key for record in self.records if record.status == "done"}
        return tuple(run.key for run in find_needed_runs(self.study, self.records) if run.key not in done)

    @property
    def n_missing(self) -> int:
        """How many runs are not done, those whose settings are still to be chosen among them."""
        return len(self.missing) + len(list_runs_to_come(self.study, self.records))

    def compare(
        self,
        *,
        metric: str | None = None,
        control: str | None = None,
        margin: float | None = None,
        seed: int = 0,
    ) -> Comparison:
        """Compare the arms as `headstart.compare` does with the study's folder; arguments as there.

        Raises:
            HeadstartError: as `headstart.compare`; no run is done.
        """
        comparison: Comparison = load_object("headstart.commands.compare:compare")(
            self.out, metric=metric, control=control, margin=margin, seed=seed
        )
        return comparison

    def report(self, output: str | Path | None = None, *, texts: bool = True, force: bool = False) -> Path:
        """Write the study's page as `headstart.write_report` does; arguments as there.

        Returns:
            Where the page is.

        Raises:
            HeadstartError: as `headstart.write_report`.
        """
        page: Path = load_object("headstart.commands.report:write_report")(
            self.out, output=output, texts=texts, force=force
        ).page
        return page

    def to_dict(self) -> dict[str, Any]:
        """The content of `results.json`."""
        values: dict[str, Any] = load_object("headstart.report.results_json:describe_findings")(self.findings)
        return values
