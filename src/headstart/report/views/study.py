"""Views of studies: of what one would do, and of what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.findings import Findings
from headstart.analysis.results import Results
from headstart.config.runs import Run
from headstart.planning.plan import Plan
from headstart.records import RunRecord
from headstart.report.plan import render_plan
from headstart.report.study_summary import render_study_summary
from headstart.report.views.base import ReportView
from headstart.report.views.figures import draw_results
from headstart.report.views.frames import Row, dump_row, flatten_row
from headstart.wording import format_count

#: Columns of a run that are no figures; what a record holds beside these is in `to_dict`.
_PLACE: Final = ("arm", "size", "seed")
_COSTS: Final = ("seconds", "peak_memory_bytes", "peak_device_memory_bytes", "own_joules")


def _summarise_plan(plan: Plan) -> str:
    count = len(plan.runs) + len(plan.to_come)
    return f"{plan.study.out}, {format_count(count, 'run')}, {len(plan.done)} done"


def _list_planned(plan: Plan) -> Iterator[Row]:
    for run in plan.runs:
        yield _dump_planned(run) | {"state": "done" if run.key in plan.done else "to train", "key": run.key}
    for run in plan.to_come:  # at which grid point is not known yet
        yield _dump_planned(run, is_settled=False) | {"state": "after tuning", "key": None}


def _dump_planned(run: Run, *, is_settled: bool = True) -> dict[str, Any]:
    point = dict(run.grid_point)
    rate = point.get("learning_rate", run.training.learning_rate)
    return {
        **{name: getattr(run, name) for name in _PLACE},
        "method": run.method,
        "pretrained": run.pretrained,
        "start": run.describe_start(),
        "learning_rate": rate if is_settled else None,
        **{name: value if is_settled else None for name, value in point.items() if name != "learning_rate"},
        "for_tuning": run.for_tuning,
    }


def _list_plan_warnings(plan: Plan) -> list[Row]:
    return [dump_row(warning) for warning in plan.warnings]


def _list_costs(plan: Plan) -> Iterator[Row]:
    """Parameters and memory of each arm's runs."""
    groups = {run: group for group in plan.cost.groups for run in group.runs}
    for arm, parameters in plan.cost.parameters.items():
        group = next((groups[run.key] for run in plan.runs if run.arm == arm and run.key in groups), None)
        yield {
            "arm": arm,
            "parameters": parameters.total if parameters else None,
            "trainable": parameters.trainable if parameters else None,
            **_dump_range("memory_bytes", group.memory_bytes if group else None),
            **_dump_range("device_memory_bytes", group.device_memory_bytes if group else None),
        }


def _dump_range(name: str, span: Any) -> dict[str, float | None]:
    return {f"{name}_low": span.low if span else None, f"{name}_high": span.high if span else None}


def _summarise_results(results: Results) -> str:
    return f"{results.out}, {_count_runs(results.findings)}" + (
        f", {results.n_missing} missing" if results.n_missing else ""
    )


def _count_runs(findings: Findings) -> str:
    failed = f", {len(findings.failed)} failed" if findings.failed else ""
    done = len(findings.records) - len(findings.failed)
    return f"{', '.join(findings.study.arms)}: {format_count(done, 'run')} done{failed}"


def _render_results(results: Results) -> RenderableType:
    summary = render_study_summary(results.findings, results.out)
    missing = results.n_missing - len(results.findings.failed)
    if missing <= 0:
        return summary
    line = f"unfinished: {format_count(missing, 'run')} not done yet; headstart run continues the study"
    return Group(Text(line, style="yellow"), summary)


def _list_runs(results: Results) -> list[Row]:
    return [_dump_run(record) for record in results.records]


def _dump_run(record: RunRecord) -> Row:
    return {
        **{name: getattr(record, name) for name in _PLACE},
        **record.hyperparameters,
        "for_tuning": record.for_tuning,
        "status": record.status,
        "train_examples": record.train_examples,
        "best_epoch": record.best_epoch,
        **{f"valid_{name}": value for name, value in (record.valid or {}).items()},
        **{f"test_{name}": value for name, value in (record.test or {}).items()},
        **{name: getattr(record, name) for name in _COSTS},
        "error": record.error,
        "key": record.key,
    }


def _list_epochs(results: Results) -> Iterator[Row]:
    """A row for each epoch of each run, with the figures of curves."""
    for record in results.records:
        place = {name: getattr(record, name) for name in _PLACE} | record.hyperparameters
        for point in record.epochs:
            values = {name: value for name, value in point.model_dump().items() if value is not None}
            is_best = point.epoch == record.best_epoch
            rate = values.pop("learning_rate")
            yield place | flatten_row(values) | {"rate_at_end": rate, "is_best": is_best, "key": record.key}


def _list_summary(results: Results) -> list[Row]:
    return [dump_row(row) for row in results.findings.summary]


def _list_contrasts(results: Results) -> list[Row]:
    return [dump_row(row, without=["each_seed"]) for row in results.findings.contrasts]


def _list_grid(results: Results) -> list[Row]:
    rows = (row.model_dump() for row in results.findings.grid_rows)
    return [{**row.pop("hyperparameters"), **row} for row in rows]


def _list_warnings(results: Results) -> list[Row]:
    return [dump_row(warning) for warning in results.findings.warnings]


PLAN: Final = ReportView(
    _summarise_plan,
    render_plan,
    {"runs": _list_planned, "costs": _list_costs, "warnings": _list_plan_warnings},
)
RESULTS: Final = ReportView(
    _summarise_results,
    _render_results,
    {
        "runs": _list_runs,
        "curves": _list_epochs,
        "summary": _list_summary,
        "contrasts": _list_contrasts,
        "label_worth": lambda results: map(dump_row, results.findings.label_worth),
        "step_worth": lambda results: map(dump_row, results.findings.step_worth),
        "outcomes": lambda results: map(dump_row, results.findings.outcomes),
        "grid": _list_grid,
        "warnings": _list_warnings,
    },
    draw_results,
)
