"""Figures: well-formed, small, the same each time, with every datum's mark where it belongs, and no more."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from drawn_studies import (
    build_calibration,
    build_confusion,
    build_costs,
    build_curves,
    build_details,
)
from headstart.records import GridRow, SummaryRow, WorthRow
from headstart.report.figures.confusion import draw_confusion
from headstart.report.figures.curves import draw_curve, draw_loss
from headstart.report.figures.draw_all import draw_figures
from headstart.report.figures.figure import Figure, prefix_names, save_figure
from headstart.report.figures.labels import draw_labels
from headstart.report.figures.palette import ARM_COLOURS, style_arms
from headstart.report.figures.rows import MOST_ROWS
from headstart.report.figures.seeds import draw_seeds
from headstart.report.figures.tuning import draw_tuning
from studies import findings_of

_SVG = "{http://www.w3.org/2000/svg}"
ARMS = ["random", "pretrained", "l" * 60]


def _read(figure: Figure | None) -> ET.Element:
    assert figure is not None
    return ET.fromstring(figure.svg)


def _find_tips(root: ET.Element, words: str) -> list[ET.Element]:
    return [mark for mark in root.iter() if words in mark.get("data-tip", "")]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    findings = findings_of(
        {"random": (0.6, 0.62, 0.61), "pretrained": (0.8, 0.78, 0.83), ARMS[2]: (0.7, 0.71, 0.74)}
    )
    details = build_details(
        findings,
        curves=(build_curves(ARMS),),
        confusions=(build_confusion("pretrained", 5),),
        calibrations=tuple(build_calibration(arm) for arm in ARMS),
        costs=build_costs(ARMS),
    )
    drawn = draw_figures(details)
    assert len({figure.name for figure in drawn}) == len(drawn)
    return {figure.name: figure for figure in drawn}


def test_each_section_that_has_something_to_show_is_drawn(figures: dict[str, Figure]) -> None:
    sections = {figure.section for figure in figures.values()}
    assert sections == {"seeds", "contrasts", "curves", "loss", "classes", "calibration", "cost"}


def test_a_figure_refers_to_nothing_outside_and_is_small(figures: dict[str, Figure]) -> None:
    for name, figure in figures.items():
        root = ET.fromstring(figure.svg)
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(set(ids)) == len(ids)
        assert all(str(one).startswith(name) for one in ids)
        links = [node.get("href") for node in root.iter() if node.get("href")]
        assert all(link[1:] in ids for link in links if link)
        assert "url(" not in figure.svg
        assert "width" not in root.attrib
        assert root.get("role") == "img"
        assert len(figure.svg.encode()) <= 15_000, (name, len(figure.svg))
        assert figure.description == root.findtext(f"{_SVG}desc")
        assert re.search(r"\d", figure.description)


def test_every_seed_is_a_dot_to_scale(figures: dict[str, Figure]) -> None:
    root = _read(figures["seeds-accuracy-all"])
    scores = {0: 0.8, 1: 0.78, 2: 0.83}
    x = {seed: float(_find_tips(root, f"pretrained, seed {seed}:")[0].get("x", "")) for seed in scores}
    assert len(_find_tips(root, ", seed ")) == 9
    assert (x[2] - x[0]) / (x[0] - x[1]) == pytest.approx(3 / 2, abs=0.05)
    assert "pretrained: mean 80.3%" in figures["seeds-accuracy-all"].description


def test_seeds_that_score_alike_are_dots_of_their_own() -> None:
    findings = findings_of({"random": (0.6, 0.6, 0.7, 0.6)})
    figure = draw_seeds(findings, "accuracy", "all", style_arms(["random"], "random"))
    dots = _find_tips(_read(figure), ", seed ")
    assert len({(dot.get("x"), dot.get("y")) for dot in dots}) == 4
    assert len({dot.get("x") for dot in dots}) == 2


@pytest.mark.parametrize("sizes", [["all"], [5, "all"]])
def test_the_largest_size_is_named_among_others_alone(sizes: list[int | str]) -> None:
    findings = findings_of({"random": (0.6, 0.7)}, sizes=sizes)
    titles = {figure.title for figure in draw_figures(build_details(findings)) if figure.size == "all"}
    assert titles
    assert all(title.endswith(", all training examples") is (len(sizes) > 1) for title in titles)


def test_marks_of_an_arm_are_in_its_group(figures: dict[str, Figure]) -> None:
    root = _read(figures["curves-accuracy-valid-all"])
    groups = [node for node in root.iter(f"{_SVG}g") if node.get("class") == "arm"]
    assert {group.get("data-arm") for group in groups} == set(ARMS)
    lines = [node for group in groups for node in group.iter() if ", seed " in node.get("data-tip", "")]
    assert len(lines) == 9 == len(_find_tips(root, ", seed "))
    assert all(node.findtext(f"{_SVG}title") == node.get("data-tip") for node in lines)


def test_points_of_a_curve_are_where_its_scores_are() -> None:
    curves = build_curves(["random"], epochs=5)
    root = _read(draw_curve(curves, "test", "all", style_arms(["random"], "random")))
    places = [float(node.get("y", "")) for node in _find_tips(root, "epoch ") if node.tag == f"{_SVG}use"]
    scores = curves.arms[0].best_test or ()
    scale = (places[0] - places[-1]) / (scores[-1] - scores[0])
    assert len(places) == 5
    for place, score in zip(places, scores, strict=True):
        assert places[0] - place == pytest.approx(scale * (score - scores[0]), abs=0.15)


def test_files_are_the_same_each_time(figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures["contrasts-accuracy-all"]
    first = [path.read_bytes() for path in save_figure(figure, tmp_path)]
    again = [path.read_bytes() for path in save_figure(figure, tmp_path)]
    assert first == again
    assert b"var(" not in first[0]
    assert ET.fromstring(first[0]).get("width") == "237.6pt"
    assert first[1].startswith(b"\x89PNG")
    assert int.from_bytes(first[1][16:20], "big") == 990
    assert first[2].startswith(b"%PDF")
    assert b"/MediaBox [ 0 0 237.6" in first[2]


def test_a_verdict_stands_beside_its_interval(figures: dict[str, Figure]) -> None:
    texts = [node.text or "" for node in _read(figures["contrasts-accuracy-all"]).iter(f"{_SVG}text")]
    assert any(text.startswith("+19.3 (") and text.endswith("better") for text in texts)


def test_names_are_text_whatever_they_hold() -> None:
    names = ("<script>alert(1)</script>", "$x$ & _y_", "\u202e\u05e9\u05dc", "😀\x00")
    figure = draw_confusion(build_confusion("random", 4, names), style_arms(["random"], None))
    root = _read(figure)
    texts = {node.text for node in root.iter(f"{_SVG}text")}
    assert {"<script>ale...", "$x$ & _y_", " \u05e9\u05dc", "😀 "} <= texts
    assert figure is not None
    assert "<script" not in figure.svg


def test_of_many_classes_those_most_confused_are_drawn() -> None:
    figure = draw_confusion(build_confusion("random", 30), style_arms(["random"], None))
    assert figure is not None
    assert "Of 30 classes the 20 that are most confused are drawn." in figure.description
    assert (
        len([node for node in _read(figure).iter(f"{_SVG}text") if (node.text or "").startswith("class")])
        == 40
    )


def test_what_is_no_number_leaves_a_gap_and_one_epoch_a_point() -> None:
    curves = build_curves(["random"], seeds=1, epochs=1)
    assert (
        len(_find_tips(_read(draw_curve(curves, "valid", "all", style_arms(["random"], None))), "random"))
        >= 2
    )
    bad = (0.5, math.nan, math.inf, 0.7)
    run = dataclasses.replace(curves.runs[0], epochs=(1, 2, 3, 4), best_valid=bad, best_test=None)
    figure = draw_curve(
        dataclasses.replace(curves, runs=(run,), arms=()), "valid", "all", style_arms(["random"], None)
    )
    assert figure is not None
    assert "nan" not in figure.svg
    assert "70.0%" in figure.description
    nothing = dataclasses.replace(run, best_valid=(math.nan,), epochs=(1,))
    assert draw_curve(dataclasses.replace(curves, runs=(nothing,)), "test", "all", {}) is None


def test_200_runs_stay_small() -> None:
    arms = [f"arm-{i}" for i in range(12)]
    curves, styles = build_curves(arms, seeds=17), style_arms(arms, "arm-0")
    for figure in (draw_curve(curves, "valid", "all", styles), draw_loss(curves, "all", styles)):
        assert figure is not None
        assert len(figure.svg) < 40_000
        assert "156 more runs are not drawn." in figure.description


def test_a_best_value_at_the_end_of_its_grid_is_said() -> None:
    grid = tuple(
        GridRow(
            arm="pretrained", size="all", hyperparameters={"learning_rate": rate}, metric="accuracy",
            n_seeds=1, mean=mean, std=None, n_failed=0, chosen=mean == 0.8,
        )
        for rate, mean in ((1e-5, 0.6), (1e-4, 0.7), (1e-3, 0.8))
    )  # fmt: skip
    findings = dataclasses.replace(findings_of(), grid_rows=grid)
    figure = draw_tuning(findings, "pretrained", "all", style_arms(["pretrained"], None))
    assert figure is not None
    assert "Best at the largest learning rate tried." in figure.description
    assert len(_find_tips(_read(figure), "chosen")) == 2
    assert draw_tuning(findings, "random", "all", {}) is None


def test_what_labels_are_worth_is_a_line_across() -> None:
    findings = findings_of(sizes=[8, 16])
    rows = [
        SummaryRow(
            arm=arm, size=size, metric="accuracy", n_seeds=3, mean=mean, std=0.01, std_population=0.01,
            seeds_low=mean - 0.05, seeds_high=mean + 0.05, worst_seed=0, best_seed=1,
        )
        for arm, size, mean in (("random", 8, 0.5), ("random", 16, 0.6), ("pretrained", 8, 0.6))
    ]  # fmt: skip
    worth = WorthRow(
        arm="pretrained", control="random", size=8, metric="accuracy", amount=8, score=0.6, smallest=8,
        largest=16, worth=16.0, low=12.0, high=16.0, bootstrap_low=None, bootstrap_high=None,
    )  # fmt: skip
    records = tuple(
        run.model_copy(update={"size": size, "train_examples": size})
        for run in findings.records
        for size in (8, 16)
    )
    changed = dataclasses.replace(findings, summary=tuple(rows), label_worth=(worth,), records=records)
    figure = draw_labels(changed, "accuracy", style_arms(["random", "pretrained"], "random"))
    assert figure is not None
    assert "pretrained, 8 examples: worth 16 (12 to 16) of random." in figure.description
    assert len(_find_tips(_read(figure), "worth 16")) >= 1
    assert draw_labels(findings_of(), "accuracy", {}) is None


def _contrast(colour: str, paper: str) -> float:
    """As WCAG 2.2 has it."""
    light, dark = sorted((_luminance(colour), _luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_are_seen_on_white_and_on_dark_paper() -> None:
    assert all(_contrast(colour, paper) >= 3 for colour in ARM_COLOURS for paper in ("#ffffff", "#16181c"))


def test_no_two_arms_look_alike() -> None:
    styles = style_arms([f"arm-{i}" for i in range(40)], "arm-3")
    looks = {(style.colour, style.marker, style.dashes) for style in styles.values()}
    assert len(looks) == 40
    assert styles["arm-3"].colour == ARM_COLOURS[0]


def _list_upright_lines(root: ET.Element) -> list[tuple[float, float]]:
    """From where to where lines go straight up, whatever they are of."""
    paths = " ".join(node.get("d", "") for node in root.iter(f"{_SVG}path"))
    points = re.findall(r"M(-?[\d.]+) (-?[\d.]+)L(-?[\d.]+) (-?[\d.]+)", paths)
    return [(float(a), float(b)) for x, a, other, b in points if x == other]


@pytest.mark.parametrize("section", ["seeds", "contrasts"])
def test_no_line_goes_through_the_text_of_a_row(figures: dict[str, Figure], section: str) -> None:
    root = _read(next(figure for figure in figures.values() if figure.section == section))
    written = [float(str(node.get("y"))) for node in root.iter(f"{_SVG}text") if node.get("font-weight")]
    lines = _list_upright_lines(root)
    assert len(written) >= 2
    assert len(lines) > len(written)  # zero and the grid, once in each row
    middle = [y - 2.5 for y in written]
    assert not [y for y in middle for ends in lines if min(ends) <= y <= max(ends)]


def test_a_prefix_begins_names_and_all_ids() -> None:
    findings = findings_of({"random": (0.6, 0.62), "pretrained": (0.8, 0.78)})
    with prefix_names("study-2-"):
        figure = draw_seeds(findings, "accuracy", "all", style_arms(["random", "pretrained"], "random"))
    ids = [str(node.get("id")) for node in _read(figure).iter() if node.get("id")]
    assert figure is not None
    assert figure.name == "study-2-seeds-accuracy-all"
    assert ids
    assert all(one.startswith(figure.name) for one in ids)


def test_a_figure_of_too_many_rows_says_so() -> None:
    scores = {f"arm-{i}": (0.5 + i / 200, 0.51 + i / 200) for i in range(MOST_ROWS + 2)}
    figure = draw_seeds(findings_of(scores), "accuracy", "all", style_arms(list(scores), "arm-0"))
    assert figure is not None
    assert figure.title == "Test accuracy of every seed, first 40 of 42"
