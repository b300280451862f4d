"""The closing table and what stands around it on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headstart.config.study import Size, Study
from headstart.records import GridRow
from headstart.report.findings import Findings
from headstart.report.meaning import interval, meaning
from headstart.report.numbers import number, unit
from headstart.report.tuning import in_words, rule

_NOTICE_STYLE = "yellow"


def closing(findings: Findings, out: Path) -> RenderableType:
    """Everything said when a study ends: the table, its meaning, warnings, failures, where to look next."""
    parts: list[RenderableType] = [results_table(findings)]
    parts += [Text(), grid_table(findings)] if findings.tuning else []
    parts += [Text(), *(Text(sentence) for sentence in meaning(findings))]
    parts += [Text(f"! {notice.text}", style=_NOTICE_STYLE) for notice in findings.notices]
    parts += [Text(f"failed: {r.key}: {r.error}", style="red") for r in findings.failed]
    return Group(*parts, Text(), *_next_steps(findings, out))


def results_table(findings: Findings) -> Table:
    """Per arm and size: mean, sample deviation, each seed, and the difference to the control."""
    study, metric = findings.study, findings.study.metric
    table = Table(title=Text(study.question) if study.question else None, title_justify="left")
    table.title_style = "bold"
    for name, style in _columns(findings):
        table.add_column(name, justify="left" if name == "arm" else "right", style=style)
    for size in study.sizes:
        for arm in study.arms:
            table.add_row(*_row(findings, arm, size))
        table.add_section()
    table.caption = (
        f"test {metric} at each run's best epoch on {study.select.on}; ± is the sample deviation over seeds"
        f"{_brackets(findings)}"
    )
    table.caption_justify = "left"
    return table


def _brackets(findings: Findings) -> str:
    """What the intervals cover."""
    rows = [row for row in findings.contrasts if row.metric == findings.study.metric and row.low is not None]
    if not rows:
        return ""
    if findings.until is not None:
        return "; in brackets 95% at any number of seeds, of the median"
    return "; in brackets 95% over seeds" + (" and test texts" if all(row.texts for row in rows) else "")


def grid_table(findings: Findings) -> Table:
    """What the tuned arms tried: per arm and size the valid metric at each setting, `*` at the chosen one."""
    study = findings.study
    table = Table(title=f"valid {study.metric} at each setting tried", title_justify="left")
    table.add_column("arm", style="bold", no_wrap=True)
    if len(study.sizes) > 1:
        table.add_column("texts", justify="right", no_wrap=True)
    points = list(dict.fromkeys(in_words(row.setting) for row in findings.tuning))
    for point in points:
        table.add_column(point.replace(", ", "\n"), justify="right", overflow="fold")
    for cells in _grid_rows(findings, points):
        table.add_row(*cells)
    table.caption = f"* is the setting chosen: {rule(study.metric)}. The test has no say."
    table.caption_justify = "left"
    return table


def _grid_rows(findings: Findings, points: list[str]) -> Iterator[list[str | Text]]:
    study = findings.study
    for arm, size in dict.fromkeys((row.arm, row.size) for row in findings.tuning):
        mine = [row for row in findings.tuning if (row.arm, row.size) == (arm, size)]
        cells = {in_words(row.setting): _grid_cell(row, study) for row in mine}
        head: list[str | Text] = [escape(arm), *([str(size)] if len(study.sizes) > 1 else [])]
        yield [*head, *(cells.get(point, "") for point in points)]


def _grid_cell(row: GridRow, study: Study) -> Text:
    if row.mean is None:
        return Text("failed" if row.failed else "-")
    spread = f" ± {number(row.metric, row.std)}" if row.std is not None else ""
    part = f" ({row.n} of {len(study.seeds)})" if row.n < len(study.seeds) else ""
    mark, style = ("* ", "bold") if row.chosen else ("", "")
    return Text(f"{mark}{number(row.metric, row.mean)}{spread}{part}", style=style)


def _columns(findings: Findings) -> Iterator[tuple[str, str | None]]:
    yield "arm", "bold"
    if len(findings.study.sizes) > 1:
        yield "texts", None
    if findings.tuning:
        yield "chosen", None
    yield f"test {findings.study.metric}", None
    yield "each seed", "dim"
    if findings.study.control_arm:
        what = unit(findings.study.metric)
        yield (
            f"against {findings.study.control_arm}, {what}"
            if what == "points"
            else (f"against {findings.study.control_arm}"),
            None,
        )


def _row(findings: Findings, arm: str, size: Size) -> Iterator[str]:
    metric = findings.study.metric
    values = findings.values(arm, size, metric)
    yield escape(arm)
    if len(findings.study.sizes) > 1:
        yield str(size)
    if findings.tuning:
        yield in_words(findings.setting(arm, size) or {}) or "-"
    yield _mean(findings, arm, size)
    yield " ".join(number(metric, values.get(seed)) for seed in findings.study.seeds)
    if findings.study.control_arm:
        yield _difference(findings, arm, size)


def _mean(findings: Findings, arm: str, size: Size) -> str:
    metric = findings.study.metric
    for row in findings.summary:
        if (row.arm, row.size, row.metric) == (arm, size, metric):
            spread = f" ± {number(metric, row.std)}" if row.std is not None else ""
            return f"{number(metric, row.mean)}{spread}"
    return "failed"


def _difference(findings: Findings, arm: str, size: Size) -> str:
    metric = findings.study.metric
    for row in findings.contrasts:
        if (row.arm, row.size, row.metric) == (arm, size, metric):
            low, high = interval(row, findings.until)
            ends = (number(metric, end, signed=True) for end in (low, high))
            shown = " [{}, {}]".format(*ends) if low is not None else ""
            return escape(f"{number(metric, row.difference, signed=True)}{shown}")
    return "control" if arm == findings.study.control_arm else "-"


def _use(study: Study, model: Path) -> tuple[str, str]:
    if study.task == "instruction":
        return "ask it", f'headstart generate {model} "a prompt"'
    return "label texts", f"headstart predict {model} FILE -o OUT"


def _next_steps(findings: Findings, out: Path) -> Iterator[RenderableType]:
    saved = [arm for arm in findings.study.arms if (out / "models" / arm).is_dir()]
    steps = [("curves", f"tensorboard --logdir {_near(out / 'tensorboard')}")]
    steps += [("model", str(_near(out / "models" / arm))) for arm in saved[:1]]
    if saved:
        steps.append(_use(findings.study, _near(out / "models" / saved[0])))
    steps.append(("all figures", str(_near(out / "results.json"))))
    table = Table.grid(padding=(0, 2))
    for name, command in steps:
        table.add_row(Text(name, style="dim"), Text(command, overflow="fold"))
    yield Padding(table, 0)


def _near(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def show(renderable: RenderableType, console: Console | None = None) -> None:
    """Print to the terminal, or as plain text where there is none."""
    (console or Console()).print(renderable)
