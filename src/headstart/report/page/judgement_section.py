"""The section of what people judged of paired answers, as `headstart judge --read` shows it."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.report.judge import describe_judgements, explain_judgements, make_judgement_tables
from headstart.report.page.blocks import Block, PageTable, Points, Section, Sentences
from headstart.report.page.material import PageMaterial

_CAPTIONS = {
    "judgements": "Prompts by which answer people preferred.",
    "judges": "What each judge chose.",
    "judges-agree": "How often two judges chose the same.",
}


def list_judgement_sections(material: PageMaterial) -> Iterator[Section]:
    """Of the sheets that were read back into the study's folder."""
    yield Section("judgements", "Judged by people", tuple(_list_judgements(material)))


def _list_judgements(material: PageMaterial) -> Iterator[Block]:
    all_found = material.details.judgements
    for number, found in enumerate(all_found, 1):
        yield Sentences((describe_judgements(found),))
        end = f"-{number}" if len(all_found) > 1 else ""
        for (name, caption), rows in zip(_CAPTIONS.items(), make_judgement_tables(found), strict=False):
            yield PageTable(f"{name}{end}", caption, rows)
        yield Points(tuple(explain_judgements(found)))
