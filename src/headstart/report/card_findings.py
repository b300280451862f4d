"""What a model card says of the arm in its study: all seeds, the control, and what their contrast says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from headstart.analysis.findings import Findings
from headstart.config.metrics import describe_metric
from headstart.config.sizes import Size
from headstart.data.markdown import escape_markdown
from headstart.records import Contrast, OutcomeRow, RunRecord, SummaryRow
from headstart.report.answers import Told, describe_contrast
from headstart.report.collapsed import describe_mark, mark_verdict
from headstart.report.conclusions import describe_training_texts
from headstart.report.numbers import format_interval, format_metric
from headstart.wording import format_names

#: Contrasts with a line of their own; seeds that are named.
_MOST_CONTRASTS: Final = 8
_MOST_SEEDS: Final = 10
_UNKNOWN: Final = """\
The study had not ended when this was written: its `results.json` has every seed, the control arm and the
intervals once it has.
"""
_TABLE: Final = """\
| arm | seeds | mean test {metric} | 95% interval over seeds | collapsed runs |
| --- | --- | --- | --- | --- |
{rows}
"""


def describe_findings_of(record: RunRecord, findings: Findings | None) -> str:
    """The section's text: a table of the arm and those it was compared with, and a line for each contrast."""
    if findings is None:
        return _UNKNOWN
    contrasts = _select_contrasts(record, findings)
    arms = dict.fromkeys([record.arm, *(name for row in contrasts for name in (row.control, row.arm))])
    rows = [row for name in arms for row in _select_summary(name, record.size, findings)]
    if not rows:
        return _UNKNOWN
    table = _TABLE.format(
        metric=escape_markdown(findings.study.metric),
        rows="\n".join(_format_row(row, findings) for row in rows),
    )
    of_arms = [row for row in findings.outcomes if row.arm in arms and row.size == record.size]
    notes = [f"{mark}." for mark in (describe_mark(of_arms),) if mark]
    lines = [*_list_lines(contrasts, findings), *notes]
    return table + "".join(f"\n- {escape_markdown(line)}" for line in lines) + "\n" * bool(lines)


def _select_contrasts(record: RunRecord, findings: Findings) -> list[Contrast]:
    """Those that the arm is in, at the model's size, by the study's metric."""
    wanted = (findings.study.metric, record.size)
    of_size = {
        (row.arm, row.control): row
        for row in (*findings.baseline_contrasts, *findings.contrasts)
        if (row.metric, row.size) == wanted
    }
    return [row for arms, row in of_size.items() if record.arm in arms][:_MOST_CONTRASTS]


def _select_summary(arm: str, size: Size, findings: Findings) -> list[SummaryRow]:
    wanted = (arm, size, findings.study.metric)
    return [row for row in findings.summary if (row.arm, row.size, row.metric) == wanted]


def _format_row(row: SummaryRow, findings: Findings) -> str:
    """The arm's line in the table."""
    seeds = sorted(findings.collect_test_scores(row.arm, row.size, row.metric))
    is_control = row.arm == findings.study.control_arm
    cells = (
        f"`{row.arm}`{' (control)' if is_control else ''}",
        format_names(list(map(str, seeds)), _MOST_SEEDS),
        format_metric(row.metric, row.mean),
        format_interval(row.metric, row.seeds_low, row.seeds_high),
        _count_collapsed(row, findings.outcomes),
    )
    return f"| {' | '.join(cells)} |"


def _count_collapsed(row: SummaryRow, outcomes: tuple[OutcomeRow, ...]) -> str:
    """`1 of 3 †`, or `-` where it is not known."""
    found = next((of for of in outcomes if (of.arm, of.size) == (row.arm, row.size)), None)
    if found is None or found.n_collapsed is None:
        return "-"
    return f"{found.n_collapsed} of {found.n_runs - found.n_failed}{' †' * bool(found.n_collapsed)}"


def _list_lines(contrasts: list[Contrast], findings: Findings) -> Iterator[str]:
    """A sentence for each contrast with its verdict, and for which training texts verdicts hold."""
    told = Told(
        describe_metric(findings.study.metric),
        findings.summary,
        findings.stopping_rule,
        findings.margin,
        has_sizes=len(findings.study.sizes) > 1,
    )
    for row in contrasts:
        yield f"{describe_contrast(row, told)} Verdict: {mark_verdict(row.verdict, row)}."
    yield from describe_training_texts(contrasts)
    if not contrasts:
        yield "The study compares this arm with no other."
