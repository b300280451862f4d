"""What to do when a study has ended: where its curves and figures are, and how its best model is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headstart.analysis.findings import Findings
from headstart.config.metrics import LOWER_IS_BETTER
from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.report.ranking import suggest_compare
from headstart.store.model_use import find_model_use


def render_next_steps(findings: Findings, out: Path) -> RenderableType:
    """A line for each, with the command; `out` is the study's folder."""
    table = Table.grid(padding=(0, 2))
    for name, command in _list_steps(findings, out):
        table.add_row(Text(name, style="dim"), Text(command, overflow="fold"))
    return Padding(table, 0)


def _list_steps(findings: Findings, out: Path) -> Iterator[tuple[str, str]]:
    page = out / "report" / "index.html"
    if page.is_file():
        yield "report", str(_shorten(page))
    if (out / "tensorboard").is_dir():
        yield "curves", f"tensorboard --logdir {_shorten(out / 'tensorboard')}"
    arm = find_best_saved(findings, out)
    if arm is not None:
        model = _shorten(out / "models" / arm)
        yield "model", str(model)
        yield _describe_use(findings.study, model)
        yield from _describe_loading(findings.study, out / "models" / arm, model)
    yield from suggest_compare(findings.ranking, findings.study.control_arm, _shorten(out))
    yield "all findings", str(_shorten(out / "results.json"))


def find_best_saved(findings: Findings, out: Path) -> str | None:
    """Of the arms with a saved model, the one with the best mean test score on most training examples; the
    first of several."""
    study = findings.study
    saved = [arm for arm in study.arms if (out / "models" / arm).is_dir()]
    size = study.sizes[-1]
    cells = [row for row in findings.summary if (row.size, row.metric) == (size, study.metric)]
    sign = -1.0 if study.metric in LOWER_IS_BETTER else 1.0
    means = {row.arm: sign * row.mean for row in cells if row.mean == row.mean}
    return max(saved, key=lambda arm: means.get(arm, float("-inf")), default=None)


def _describe_use(study: Study, model: Path) -> tuple[str, str]:
    """What to do with the model, and how."""
    if get_task_traits(study.task).generates:
        return "answer a prompt", f'headstart generate {model} "a prompt"'
    return "label texts", f"headstart predict {model} FILE -o OUT"


def _describe_loading(study: Study, folder: Path, shown: Path) -> Iterator[tuple[str, str]]:
    """How other programs load it, where they can."""
    use = find_model_use(folder)
    if use == "transformers":
        kind = get_task_traits(study.task).pipeline
        yield "in Python", f'transformers.pipeline("{kind}", model="{shown}")'
    elif use == "export":
        yield "whole model", f"headstart export {shown} -o FOLDER --merge"


def _shorten(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
