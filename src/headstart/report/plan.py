"""What `headstart plan` shows: the data as read, warnings, and the runs with what is done of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from headstart.config.expand import settings
from headstart.config.study import Study


def plan_view(study: Study, facts: Mapping[str, Any]) -> RenderableType:
    """The plan's facts for a terminal."""
    parts: list[RenderableType] = []
    if study.question:
        parts.append(Text(study.question, style="bold"))
    parts += [Text(line) for line in _data_lines(facts)]
    parts += [Text(f"! {warning['text']}", style="yellow") for warning in facts["warnings"]]
    parts += [_runs_table(study, facts), Text(_todo(facts))]
    return Group(*parts)


def _data_lines(facts: Mapping[str, Any]) -> list[str]:
    texts = ", ".join(f"{count} {part}" for part, count in facts["texts"].items())
    labels = facts["labels"]
    shown = ", ".join(labels[:12]) + (f", and {len(labels) - 12} more" if len(labels) > 12 else "")
    what = f"{len(labels)} labels: {shown}" if labels else "a number"
    lengths = [f"tokens a text: {mean} on average for {name}" for name, mean in facts["tokens"].items()]
    return [f"{facts['task']}, {what}", f"texts: {texts}", *lengths]


def _runs_table(study: Study, facts: Mapping[str, Any]) -> Table:
    table = Table("arm", "starts from", "method", "rate", "sizes", "runs", "done")
    total = Counter(run["arm"] for run in facts["runs"])
    done = Counter(run["arm"] for run in facts["runs"] if run["done"])
    for name, arm in study.arms.items():
        words = arm.method == "bag-of-words"
        rate = "-" if words else f"{settings(study, arm).learning_rate:g}"
        control = " (control)" if name == study.control_arm else ""
        table.add_row(
            escape(name) + control,
            "-" if words else escape(arm.init),
            arm.method,
            rate,
            ", ".join(map(str, study.sizes)),
            str(total[name]),
            str(done[name]),
        )
    return table


def _todo(facts: Mapping[str, Any]) -> str:
    left = sum(not run["done"] for run in facts["runs"])
    return (
        f"{left} of {len(facts['runs'])} runs to train, each alone (packs of one)"
        if left
        else "all runs done"
    )
