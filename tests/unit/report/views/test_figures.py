"""In a notebook results and comparisons show figures below their tables."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import headstart
from report_studies import write_report_study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> headstart.Results:
    return headstart.load(write_report_study(tmp_path_factory.mktemp("study"), seeds=3))


def list_figures(html: str) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", html)


def test_results_show_seeds_differences_and_curves(results: headstart.Results) -> None:
    html = results._repr_html_()
    assert list_figures(html) == [
        "Test accuracy of every seed",
        "Differences in accuracy from the control",
        "Best accuracy so far on valid, by epoch",
        "Best accuracy so far on test, by epoch",
    ]
    for figure in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ElementTree.fromstring(figure)
    assert list_figures(results.findings._repr_html_()) == list_figures(html)


def test_a_comparison_shows_its_differences(results: headstart.Results) -> None:
    assert list_figures(results.compare()._repr_html_()) == ["Differences in accuracy from the control"]
    assert "pretrained - random" in results.compare()._repr_html_()


def test_a_comparison_of_metrics_of_others_shows_none(tmp_path: Path) -> None:
    """How their values are to be written is not known."""
    rows = [f"{arm},{seed},{(seed + k) / 10}" for k, arm in enumerate("ab") for seed in range(3)]
    (tmp_path / "scores.csv").write_text("\n".join(["arm,seed,f1", *rows]) + "\n")
    assert list_figures(headstart.compare(tmp_path / "scores.csv")._repr_html_()) == []


def test_a_study_of_which_no_run_ended_shows_none(tmp_path: Path) -> None:
    out = write_report_study(tmp_path, seeds=1, done=0)
    assert list_figures(headstart.load(out)._repr_html_()) == []
