"""What `headstart plan` shows: the data as read, warnings, the runs with what is done of them, the cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.config.expand import axes, settings
from headstart.config.study import Arm, Study
from headstart.report.cost import cost_lines, cost_table
from headstart.report.numbers import SHORT
from headstart.report.texts import label_view, length_lines


def plan_view(study: Study, facts: Mapping[str, Any]) -> RenderableType:
    """The plan's facts for a terminal."""
    parts: list[RenderableType] = []
    if study.question:
        parts.append(Text(study.question, style="bold"))
    parts += [Text(line) for line in _data_lines(facts)]
    parts += [*label_view(facts), *map(Text, length_lines(facts))]
    parts += [Text(f"! {warning['message']}", style="yellow") for warning in facts["warnings"]]
    parts += [_runs_table(study, facts), *map(Text, _left(study, facts))]
    if "cost" in facts:
        parts += [cost_table(study, facts), *map(Text, cost_lines(facts["cost"]))]
    return Group(*parts)


def _data_lines(facts: Mapping[str, Any]) -> list[str]:
    texts = ", ".join(f"{count} {part}" for part, count in facts["texts"].items())
    labels = facts["labels"]
    shown = ", ".join(labels[:12]) + (f", and {len(labels) - 12} more" if len(labels) > 12 else "")
    open_ended = "an answer" if facts["task"] == "instruction" else "a number"
    what = f"{len(labels)} labels: {shown}" if labels else open_ended
    return [f"{facts['task']}, {what}", f"texts: {texts}"]


def _runs_table(study: Study, facts: Mapping[str, Any]) -> Table:
    shown = _settings_shown(study)
    table = Table("arm", "starts from", "method", *shown, "sizes", "runs", "done")
    total = Counter(run["arm"] for run in facts["runs"])
    done = Counter(run["arm"] for run in facts["runs"] if run["done"])
    for name, arm in study.arms.items():
        words = arm.method == "bag-of-words"
        control = " (control)" if name == study.control_arm else ""
        table.add_row(
            escape(name) + control,
            "-" if words else escape(arm.init),
            arm.method,
            *("-" if words else _values(study, arm, name) for name in shown.values()),
            ", ".join(map(str, study.sizes)),
            str(total[name]),
            str(done[name]),
        )
    return table


def _settings_shown(study: Study) -> dict[str, str]:
    """The columns of settings, as heading and key: the rate, and whatever else an arm tries."""
    tried = {key for arm in study.arms.values() for key in axes(study, arm)}
    return {short: key for key, short in SHORT.items() if key == "learning_rate" or key in tried}


def _values(study: Study, arm: Arm, key: str) -> str:
    """The values of a setting that the arm tries, or the one that it has."""
    values = axes(study, arm).get(key) or (getattr(settings(study, arm), key),)
    return ", ".join(f"{value:g}" for value in values)


def _left(study: Study, facts: Mapping[str, Any]) -> Iterator[str]:
    """What is still to train, and which of it can train as one."""
    done = {run["key"] for run in facts["runs"] if run["done"]}
    if len(done) == len(facts["runs"]):
        yield "all runs done"
        return
    yield f"{len(facts['runs']) - len(done)} of {len(facts['runs'])} runs to train"
    for group in facts["groups"]:
        arms = ", ".join(dict.fromkeys(key.partition("/")[0] for key in group["runs"]))
        count = sum(key not in done for key in group["runs"])
        if group["alone"] is None and count > 1:
            yield f"  {arms}: up to {count} can train as one; a probe decides how many do"
        elif group["alone"] and any(study.arms[arm].method != "bag-of-words" for arm in arms.split(", ")):
            yield f"  {arms}: each by itself, for {group['alone']}"
