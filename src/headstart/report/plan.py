"""What `headstart plan` shows: the data as read, warnings, the runs with what is done of them, the cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from headstart.analysis.collapse_words import format_rate
from headstart.config.arm_settings import RateSource, find_rates, get_grid_axes, resolve_training
from headstart.config.runs import Run
from headstart.config.study import Arm, Study
from headstart.config.traits import get_method_traits, get_task_traits
from headstart.data.statistics import DataStatistics
from headstart.planning.cost import GroupCost
from headstart.planning.plan import Plan
from headstart.report.conversations import describe_conversations
from headstart.report.cost import describe_cost, render_cost_table
from headstart.report.groups import format_groups
from headstart.report.machines import render_machines
from headstart.report.numbers import SHORT
from headstart.report.tables import Column, TerminalTable
from headstart.report.texts import describe_lengths, render_labels
from headstart.report.warnings import render_warnings
from headstart.wording import format_names

#: Label names that are shown.
_LABELS = 12
#: Who sets a learning rate, in words.
_SOURCES: dict[RateSource, str] = {
    "arm": "the arm",
    "arm's grid": "the arm's own grid",
    "study": "the study",
    "study's grid": "the study's grid",
    "method": "the method's default",
}


def render_plan(plan: Plan) -> RenderableType:
    """The plan for a terminal."""
    parts: list[RenderableType] = []
    if plan.study.question:
        parts.append(Text(plan.study.question, style="bold"))
    parts += [Text(line) for line in _describe_data(plan.data)]
    parts += [Text(), *render_labels(plan.data), Text(), *map(Text, describe_lengths(plan.data.lengths))]
    parts += map(Text, plan.prompt_formats)
    parts += [Text(line) for line in describe_conversations(plan.data.conversations)]
    parts += render_warnings(plan.warnings)
    parts += [Text(), _render_runs(plan), Text(), *map(Text, _describe_rates(plan.study))]
    parts += [Text(line) for line in _describe_missing(plan)]
    parts += [Text(), render_cost_table(list(plan.study.arms), plan.cost), Text()]
    parts += [*map(Text, describe_cost(plan.cost))]
    if plan.machines:
        parts += render_machines(plan.machines)
    return Group(*parts)


def _describe_data(data: DataStatistics) -> list[str]:
    examples = ", ".join(f"{count} {part}" for part, count in data.examples.items())
    groups = format_groups(data.test_groups)
    source = f" ({data.group_source})" if groups else ""
    labels = data.label_names
    open_ended = "prompts and answers" if get_task_traits(data.task).generates else "one number per text"
    what = f"{len(labels)} labels: {format_names(labels, _LABELS)}" if labels else open_ended
    return [f"{data.task}, {what}", f"texts: {examples}{groups}{source}"]


def _render_runs(plan: Plan) -> TerminalTable:
    shown = _choose_hyperparameters(plan.study)
    total = Counter(run.arm for run in (*plan.runs, *plan.to_come))
    done = Counter(run.arm for run in plan.runs if run.key in plan.done)
    columns = (
        *(Column(head, "left") for head in ("arm", "starts from", "method")),
        *(Column(head, "left", wraps=True) for head in (*shown, "train size")),
        *(Column(head) for head in ("runs", "done")),
    )
    rows = [
        [*_format_arm(plan.study, name, list(shown.values())), str(total[name]), str(done[name])]
        for name in plan.study.arms
    ]
    return TerminalTable(columns, rows)


def _format_arm(study: Study, name: str, keys: Sequence[str]) -> Iterator[str]:
    arm = study.arms[name]
    has_checkpoint = get_method_traits(arm.method).has_checkpoint
    yield f"{name} (control)" if name == study.control_arm else name
    yield str(arm.init) if has_checkpoint else "-"
    yield arm.method
    yield from (_describe_values(study, arm, key) if has_checkpoint else "-" for key in keys)
    yield ", ".join(map(str, study.sizes))


def _choose_hyperparameters(study: Study) -> dict[str, str]:
    """The columns of hyperparameters, as heading and key: the rate, and whatever else an arm tries."""
    tried = {key for arm in study.arms.values() for key in get_grid_axes(study, arm)}
    return {short: key for key, short in SHORT.items() if key == "learning_rate" or key in tried}


def _describe_rates(study: Study) -> Iterator[str]:
    """Who sets the arms' learning rates, in a line where any arm has one."""
    rates = {name: find_rates(study, arm) for name, arm in study.arms.items()}
    of_source: dict[RateSource, list[str]] = {}
    for name, found in rates.items():
        if found:
            of_source.setdefault(found.source, []).append(name)
    if of_source:
        yield "learning rates set by " + "; ".join(
            f"{_SOURCES[source]}: {', '.join(names)}" for source, names in of_source.items()
        )


def _describe_values(study: Study, arm: Arm, key: str) -> str:
    """The values of a hyperparameter that the arm tries, or the one that it has."""
    values = get_grid_axes(study, arm).get(key) or (getattr(resolve_training(study, arm), key),)
    return ", ".join(map(format_rate, values))


def _describe_missing(plan: Plan) -> Iterator[str]:
    """What is still to train, and which of it can train as one."""
    missing = [run for run in plan.runs if run.key not in plan.done]
    if not missing:
        yield "all runs are finished"
        return
    count, to_come = len(missing) + len(plan.to_come), len(plan.to_come)
    yield f"{count} of {len(plan.runs) + to_come} runs to train"
    if to_come:
        tuning = sum(run.for_tuning for run in missing)
        yield (
            f"  {tuning} of them tune settings; {to_come} more then train with the best ones and are "
            "evaluated"
        )
    of_key = {run.key: run for run in plan.runs}
    for group in plan.cost.groups:
        yield from _describe_group(group, [of_key[key] for key in group.runs if key in of_key], plan)


def _describe_group(group: GroupCost, of_group: Sequence[Run], plan: Plan) -> Iterator[str]:
    arms = ", ".join(dict.fromkeys(run.arm for run in of_group))
    count = sum(run.key not in plan.done for run in of_group)
    if group.alone is None and count > 1:
        yield f"  {arms}: up to {count} train together (chosen automatically)"
    elif group.alone and any(get_method_traits(run.method).has_checkpoint for run in of_group):
        trains = any(get_method_traits(run.method).has_steps for run in of_group)
        yield f"  {arms}: trained one at a time ({group.alone})" if trains else f"  {arms}: {group.alone}"
