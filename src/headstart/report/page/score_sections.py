"""Sections of what arms scored: the answer, what bears it, arms, contrasts, label worth and tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headstart.report.collapsed import explain_mark
from headstart.report.conclusions import draw_conclusions, explain_comparison
from headstart.report.page.blocks import Block, Points, Section, Sentences, make_page_table
from headstart.report.page.material import PageMaterial
from headstart.report.references import explain_reference
from headstart.report.study_summary import render_grid_table

#: Sentences that answer the question.
_ANSWER = 2


def list_score_sections(material: PageMaterial) -> Iterator[Section]:
    """Those for which the study has figures."""
    conclusions = draw_conclusions(material.findings)
    answer = tuple(conclusions[:_ANSWER])
    yield Section("answer", "Answer", (Sentences(answer, leads=True),) if answer else ())
    rest = tuple(text for text in _list_sentences(conclusions, material) if text not in answer)
    yield Section("decides", "What decides, and what does not", (Points(rest),) if rest else ())
    yield Section("arms", "Arms", tuple(_list_arms(material)))
    yield Section("contrasts", "Differences", tuple(_list_contrasts(material)))


def list_question_sections(material: PageMaterial) -> Iterator[Section]:
    """Of what single studies ask beside: how many labels an arm is worth, and at which settings."""
    yield Section("labels", "What labels and updates are worth", tuple(_list_worth(material)))
    yield Section("tuning", "Tuning", tuple(_list_tuning(material)))


def _list_sentences(conclusions: Sequence[str], material: PageMaterial) -> Iterator[str]:
    """All that is said of the study and of its arms by its metric, each once."""
    comparison = material.comparisons.get(material.study.metric)
    more = explain_comparison(comparison) if comparison else []
    return iter(dict.fromkeys((*conclusions, *more)))


def _list_arms(material: PageMaterial) -> Iterator[Block]:
    yield from material.list_figures("seeds")
    tables = list(material.list_tables("arms"))
    yield from tables
    notes = (explain_reference(material.findings.reference, material.study.metric),)
    marks = (explain_mark(table.rows) for table in tables)
    said: list[str] = [f"{note}." for note in dict.fromkeys((*notes, *marks)) if note]
    if said:
        yield Sentences(tuple(said))


def _list_contrasts(material: PageMaterial) -> Iterator[Block]:
    yield from material.list_figures("contrasts")
    yield from material.list_tables("contrasts", "ranking", "one-run", "prompts", "tiers")


def _list_worth(material: PageMaterial) -> Iterator[Block]:
    yield from material.list_figures("labels")
    yield from material.list_tables("label-worth", "step-worth")


def _list_tuning(material: PageMaterial) -> Iterator[Block]:
    findings = material.findings
    if not findings.grid_rows:
        return
    count = len({(row.arm, row.size) for row in findings.grid_rows})
    yield from material.list_last_figures("tuning", count, "grids")
    yield make_page_table("tuning", render_grid_table(findings), material.arms)
    ends = tuple(warning.message for warning in findings.warnings if warning.kind == "grid-edge")
    if ends:
        yield Points(tuple(dict.fromkeys(ends)))
