"""Puts a study's sections in their order; one without anything to show is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from headstart.analysis.details.study_details import StudyDetails
from headstart.analysis.results import Results
from headstart.report.figures.palette import VARIABLES, style_arms
from headstart.report.page.blocks import Section, StudyPage
from headstart.report.page.example_sections import list_example_sections
from headstart.report.page.judgement_section import list_judgement_sections
from headstart.report.page.material import PageMaterial
from headstart.report.page.origin_sections import list_origin_sections
from headstart.report.page.score_sections import list_question_sections, list_score_sections
from headstart.report.page.training_sections import list_cost_sections, list_training_sections
from headstart.wording import format_count

if TYPE_CHECKING:
    from headstart.report.figures.figure import Figure


def make_study_page(
    details: StudyDetails, figures: Sequence[Figure] = (), *, name: str = "study", with_texts: bool = True
) -> StudyPage:
    """All sections of a study that have something to show.

    Args:
        name: what its anchors begin with, unique on a page.
        with_texts: prompts and answers are shown.
    """
    material = PageMaterial(details, figures, with_texts)
    study = material.study
    styles = style_arms(study.arms, study.control_arm)
    return StudyPage(
        name=name,
        title=study.question or study.out,
        state=_describe_state(details.results),
        arms=tuple((arm, VARIABLES[style.colour]) for arm, style in styles.items() if arm in study.arms),
        metrics=tuple(material.comparisons),
        sizes=tuple(map(str, study.sizes)),
        sections=tuple(section for section in _list_sections(material) if section.blocks),
    )


def _list_sections(material: PageMaterial) -> Iterator[Section]:
    yield from list_score_sections(material)
    training = list(list_training_sections(material))
    yield from training[:1]
    yield from list_question_sections(material)
    yield from training[1:]
    yield from list_example_sections(material)
    yield from list_judgement_sections(material)
    yield from list_cost_sections(material)
    yield from list_origin_sections(material)


def _describe_state(results: Results) -> str:
    """How much is missing of an unfinished study; a run that failed has ended."""
    missing = results.n_missing - len(results.findings.failed)
    if missing <= 0:
        return ""
    done = len(results.records) - len(results.findings.failed)
    return (
        f"Unfinished: {done:,} of {format_count(done + results.n_missing, 'run')} are done. "
        "The same headstart run continues the study."
    )
