"""Sections of where a study comes from: warnings, settings, versions, how to repeat and cite it."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.analysis.collapse_words import warn_of_collapsed
from headstart.analysis.details.origins import Origins
from headstart.report.citation import format_citation
from headstart.report.page.blocks import Block, Code, PageTable, Points, Section
from headstart.report.page.material import PageMaterial

#: Hexadecimal digits of a digest that a table shows; records have all.
_DIGITS = 16


def list_origin_sections(material: PageMaterial) -> Iterator[Section]:
    """What one must know to trust the figures, and to get them again."""
    yield Section("warnings", "Warnings", tuple(_list_warnings(material)))
    yield Section("settings", "Settings and versions", tuple(_list_settings(material)))
    yield Section("repeat", "Repeat and cite", tuple(_list_commands(material)))


def _list_warnings(material: PageMaterial) -> Iterator[Block]:
    findings = material.findings
    warnings = (*findings.warnings, *warn_of_collapsed(findings.outcomes))
    told = [warning.message for warning in warnings]
    told += [f"Failed: {run.key}: {run.error}" for run in findings.failed]
    if told:
        yield Points(tuple(dict.fromkeys(told)))


def _list_settings(material: PageMaterial) -> Iterator[Block]:
    origins = material.details.origins
    rows = [[name, ", ".join(values)] for name, values in _list_facts(origins) if values]
    if rows:
        yield PageTable("versions", "What the runs were made with.", [["what", "value"], *rows])
    yield Code("The study file, with every default", origins.study_yaml, is_folded=True)


def _list_facts(origins: Origins) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from origins.versions
    yield "platform", origins.platforms
    yield "processor", origins.processors
    yield "device", origins.devices
    yield "precision", origins.precisions
    yield "commit of the study", origins.commits
    yield "started", (origins.started,) if origins.started else ()
    yield "data, SHA-256", _cut(origins.data_digests)
    for arm, digests in origins.checkpoint_digests:
        yield f"checkpoint of {arm}, digest", _cut(digests)


def _cut(digests: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(digest[:_DIGITS] for digest in digests)


def _list_commands(material: PageMaterial) -> Iterator[Block]:
    origins = material.details.origins
    made_by = dict(origins.versions).get("headstart", ())
    label = "With the study file above as study.yaml, and the data and checkpoint where it says"
    yield Code(label, "\n".join(origins.commands))
    yield Code("BibTeX", format_citation(made_by[0] if len(made_by) == 1 else None))
