"""Records become findings: settings, summaries, contrasts and worth; says nothing in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from headstart.config.expand import grid
from headstart.config.study import Size, Study
from headstart.records import Contrast, GridRow, Notice, RunRecord, SummaryRow, Until, WorthRow, run_key
from headstart.report.contrasts import against_control, contrast_record, held_against, worths_of
from headstart.report.scores import Scores
from headstart.report.tuning import edges, grid_rows
from headstart.store.predictions import Predictions

#: Gives what the model of a run's key said of the test texts, as a metric has it, where that is known.
Reader = Callable[[str, str], Predictions | None]
#: Of what findings draw: the default of `headstart compare`, so that both say the same.
_SEED = 0


@dataclass(frozen=True)
class Findings:
    """Everything the tables, the sentences and `results.json` say."""

    study: Study
    records: tuple[RunRecord, ...]
    summary: tuple[SummaryRow, ...]
    contrasts: tuple[Contrast, ...]
    notices: tuple[Notice, ...]
    tuning: tuple[GridRow, ...] = ()
    label_worth: tuple[WorthRow, ...] = ()
    step_worth: tuple[WorthRow, ...] = ()
    until: Until | None = None

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that did not end."""
        return tuple(record for record in self.records if record.status == "failed")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The test metrics that runs have."""
        return tuple(next((record.test for record in self.records if record.test), ()))

    @property
    def all_chosen(self) -> list[RunRecord]:
        """The runs that speak for their arms and sizes."""
        return [run for size, arm in _cells(self.study) for run in self.chosen(arm, size)]

    def setting(self, arm: str, size: Size) -> dict[str, float] | None:
        """The setting that speaks for the arm: empty where none is tuned, none where nothing ended."""
        tried = [row for row in self.tuning if (row.arm, row.size) == (arm, size)]
        return next((row.setting for row in tried if row.chosen), None) if tried else {}

    def chosen(self, arm: str, size: Size) -> tuple[RunRecord, ...]:
        """The arm's completed runs, in a tuned arm those of its chosen setting."""
        place = arm, size, self.setting(arm, size)
        return tuple(
            record
            for record in self.records
            if (record.arm, record.size, record.setting) == place and record.status == "done" and record.test
        )

    def values(self, arm: str, size: Size, metric: str) -> dict[int, float]:
        """The test metric by seed of the arm's `chosen` runs."""
        return {r.seed: r.test[metric] for r in self.chosen(arm, size) if r.test}

    def scores(self, metric: str, read: Reader) -> list[Scores]:
        """The test metric of each arm and size that has one, with predictions where `read` knows them."""
        found = []
        for size in self.study.sizes:
            for arm in self.study.arms:
                runs = self.chosen(arm, size)
                one = Scores(arm, size, runs[0].texts if runs else None, self.values(arm, size, metric))
                for run in runs:
                    one.add(run.seed, read(run.key, metric), metric)
                found += [one] if runs else []
        return found


def gather(study: Study, records: Sequence[RunRecord], notices: Sequence[Notice]) -> Findings:
    """The study's own records in the order of its tables, and its tuned arms' settings; nothing summed up."""
    place = {key: i for i, key in enumerate(_wanted(study))}
    own = tuple(sorted((r for r in records if r.key in place), key=lambda r: place[r.key]))
    tuning = tuple(grid_rows(study, own))
    return Findings(study, own, (), (), (*notices, *edges(study, tuning)), tuning)


def find(
    study: Study,
    records: Sequence[RunRecord],
    notices: Sequence[Notice],
    read: Reader = lambda *_: None,
    until: Until | None = None,
) -> Findings:
    """The findings of `study` from its records, and from the predictions that `read` knows.

    Args:
        until: the rule by which seeds were added, which verdicts then allow for.
    """
    bare = replace(gather(study, records, notices), until=until)
    control = study.control_arm
    summary, made = list[SummaryRow](), list[Contrast]()
    labels: tuple[WorthRow, ...] = ()
    steps: tuple[WorthRow, ...] = ()
    for metric in bare.metrics:
        scores = bare.scores(metric, read)
        pairs = against_control(scores, control) if control else []
        rows, own = held_against(scores, pairs, metric, _SEED, is_sequential=until is not None)
        summary += rows
        made += [contrast_record(*one, metric) for one in own]
        if control and metric == study.metric:
            labels, steps = worths_of(scores, bare.all_chosen, control, metric, _SEED)
    rank = {(size, arm): i for i, (size, arm) in enumerate(_cells(study))}
    return replace(
        bare,
        summary=tuple(sorted(summary, key=lambda row: rank[row.size, row.arm])),
        contrasts=tuple(sorted(made, key=lambda row: rank[row.size, row.arm])),
        label_worth=labels,
        step_worth=steps,
    )


def _wanted(study: Study) -> Iterator[str]:
    """The keys of the study's runs, in the order of its tables."""
    for size in study.sizes:
        for name, arm in study.arms.items():
            for point in grid(study, arm):
                yield from (run_key(name, size, seed, point) for seed in study.seeds)


def _cells(study: Study) -> Iterator[tuple[Size, str]]:
    return ((size, arm) for size in study.sizes for arm in study.arms)
