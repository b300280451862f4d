"""What sections are made from: the last of many figures, with a sentence that says so."""

from __future__ import annotations

import pytest

from drawn_studies import build_confusion, build_details
from headstart.report.figures.draw_all import MOST_MATRICES
from headstart.report.figures.figure import Figure
from headstart.report.page.blocks import MOST_PRINTED, PageFigure, Section, Sentences, StudyPage
from headstart.report.page.example_sections import list_example_sections
from headstart.report.page.material import PageMaterial
from studies import findings_of


def make_figure(place: int) -> Figure:
    return Figure(f"classes-{place}", "Classes", "1", "<svg/>", "classes")


@pytest.mark.parametrize(("count", "is_told"), [(MOST_MATRICES, False), (MOST_MATRICES + 3, True)])
def test_where_only_the_last_are_drawn_it_is_said(count: int, is_told: bool) -> None:
    confusions = tuple(build_confusion(f"arm {i}", 2) for i in range(count))
    figures = [make_figure(i) for i in range(MOST_MATRICES)]
    section = next(
        iter(
            list_example_sections(PageMaterial(build_details(findings_of(), confusions=confusions), figures))
        )
    )
    told = [one for block in section.blocks if isinstance(block, Sentences) for one in block.sentences]
    assert told == ["Drawn: the last 12 of 15 confusion matrices."] * is_told


@pytest.mark.parametrize("more", [0, 1])
def test_a_page_is_short_by_its_figures(more: int) -> None:
    blocks = tuple(PageFigure(make_figure(i)) for i in range(MOST_PRINTED + more))
    page = StudyPage("study", "t", "", (), (), (), (Section("classes", "Classes", blocks),))
    assert page.is_short is not bool(more)
