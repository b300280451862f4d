"""The report's page in a real browser: it opens alone, does what a reader does, and obeys no text in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import headstart
from report_studies import HOSTILE, write_report_study

OpenPage = Callable[..., Any]
SECTIONS: Final = (
    "answer", "decides", "arms", "contrasts", "curves", "labels", "parameters", "classes", "texts", "cost",
    "settings", "repeat",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _no_files_of_figures() -> Iterator[None]:
    """Pictures for papers take longer to save than all else, and no page shows them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headstart.commands.report.save_figure", lambda figure, folder: ())
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> headstart.WrittenReport:
    """A study over sizes, with hostile classes, texts and question."""
    folder = tmp_path_factory.mktemp("report")
    labels = [f"{text[:60]} {i}" for i, text in enumerate(HOSTILE[:5])]
    keys: dict[str, Any] = {"question": f"{HOSTILE[0]} {HOSTILE[4]} {HOSTILE[6]}", "sizes": [20, 40]}
    return headstart.write_report(
        write_report_study(folder, labels=labels, texts=HOSTILE, metrics=("accuracy", "loss"), **keys)
    )


@pytest.fixture
def page(open_page: OpenPage, written: headstart.WrittenReport) -> Any:
    return open_page(written.page)


def list_shown(page: Any, selector: str) -> list[Any]:
    return [element for element in page.query_selector_all(selector) if element.is_visible()]


def test_all_sections_are_there_and_the_contents_lead_to_them(page: Any) -> None:
    for name in SECTIONS:
        assert page.locator(f"#study-{name}").is_visible(), name
    links = page.locator("nav a").evaluate_all("links => links.map(link => link.hash.slice(1))")
    assert links == [f"study-{name}" for name in SECTIONS]


def test_figures_are_drawn_side_by_side_or_below_each_other(page: Any) -> None:
    boxes = [figure.bounding_box() for figure in list_shown(page, "figure svg")]
    assert len(boxes) > 5
    assert all(box["width"] > 150 and box["height"] > 50 for box in boxes)
    marks = page.locator("figure:visible svg [data-tip]").evaluate_all(
        "marks => marks.map(one => one.getBoundingClientRect()).filter(box => box.width || box.height).length"
    )
    assert marks > 50


@pytest.mark.parametrize("by_keyboard", [pytest.param(False, marks=pytest.mark.long), True])
def test_an_arm_is_hidden_in_figures_and_tables(page: Any, by_keyboard: bool) -> None:
    button = page.get_by_role("button", name="random", exact=True)
    before = len(list_shown(page, "[data-arm=random]")), len(list_shown(page, "[data-arm=pretrained]"))
    figures = len(list_shown(page, "figure"))
    if by_keyboard:
        button.focus()
        page.keyboard.press("Space")
    else:
        button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert list_shown(page, "[data-arm=random]") == []
    assert len(list_shown(page, "figure")) < figures  # its own confusion matrices are hidden as a whole
    assert len(list_shown(page, "[data-arm=pretrained]")) == before[1]
    button.press("Enter")
    assert len(list_shown(page, "[data-arm=random]")) == before[0] > 10


def test_a_table_is_sorted_by_numbers(page: Any) -> None:
    head = page.locator("table[data-name=arms] th", has_text="accuracy")
    column = head.evaluate("head => head.cellIndex")
    read = "rows => rows.map(row => row.cells[COLUMN].dataset.sort).filter(Boolean).map(Number)"
    for order, is_falling in (("ascending", False), ("descending", True)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == order
        values = page.locator("table[data-name=arms] tbody tr").evaluate_all(
            read.replace("COLUMN", str(column))
        )
        assert values == sorted(values, reverse=is_falling)
        assert len(set(values)) > 2


def test_the_metric_and_the_size_are_chosen(page: Any) -> None:
    assert not page.locator("table[data-name=arms-loss]").is_visible()
    page.get_by_role("combobox", name="Metric").select_option("loss")
    assert page.locator("table[data-name=arms-loss]").is_visible()
    assert not page.locator("table[data-name=arms]").is_visible()
    page.get_by_role("combobox", name="Train size").select_option("20")
    rows = page.locator("table[data-name=arms-loss] tbody tr:visible")
    assert set(rows.evaluate_all("rows => rows.map(row => row.dataset.size)")) == {"20"}


def test_values_are_read_off_by_pointer_and_by_arrow_keys(page: Any) -> None:
    mark = page.locator("#study-arms figure:visible use[data-tip]").first
    mark.hover(force=True)
    assert page.locator("#tip").inner_text().strip()
    plot = page.locator(".plot[tabindex]:visible").first
    plot.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#said").inner_text()
    page.keyboard.press("ArrowRight")
    assert "" != first != page.locator("#said").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_page: OpenPage, written: headstart.WrittenReport, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(written.page, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"]) for one in serious
    ] == []


def test_the_theme_is_turned_by_a_button(page: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(paper) != before
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(paper) == before


def test_a_phone_shows_it_without_scrolling_sideways(
    open_page: OpenPage, written: headstart.WrittenReport
) -> None:
    page = open_page(written.page, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert all(figure.bounding_box()["width"] <= 360 for figure in list_shown(page, "figure svg"))


def test_without_script_the_page_is_whole(open_page: OpenPage, written: headstart.WrittenReport) -> None:
    page = open_page(written.page, java_script_enabled=False)
    assert page.locator("table[data-name=arms-loss]").is_visible()
    assert page.locator("#study-cost").is_visible()
    assert not page.locator("button").count()


def test_on_paper_all_is_shown(page: Any, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("table[data-name=arms-loss]").is_visible()
    assert all(page.locator(f"#study-{name}").is_visible() for name in SECTIONS)
    assert page.locator("#study-settings pre").is_visible()
    assert not page.locator("nav").is_visible()
    drawn = page.locator("#study-arms figure")
    shown = [drawn.nth(i).is_visible() for i in range(drawn.count())]
    assert shown == [True, True, False, False]  # of the study's metric, at both sizes
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_paper_has_the_figures_of_all_metrics_where_they_are_few(open_page: OpenPage, tmp_path: Path) -> None:
    study = write_report_study(tmp_path, seeds=2, metrics=("accuracy", "loss"))
    page = open_page(headstart.write_report(study).page)
    drawn = page.locator("#study-arms figure")
    assert [drawn.nth(i).is_visible() for i in range(drawn.count())] == [True, False]
    page.emulate_media(media="print")
    assert [drawn.nth(i).is_visible() for i in range(drawn.count())] == [True, True]


def test_a_short_table_is_on_one_page(page: Any) -> None:
    page.emulate_media(media="print")
    breaks = page.locator(".box").evaluate_all(
        "boxes => boxes.map(box => [box.querySelectorAll('tr').length, getComputedStyle(box).breakInside])"
    )
    assert {is_whole == "avoid" for rows, is_whole in breaks if rows <= 12} == {True}
    assert {is_whole == "avoid" for rows, is_whole in breaks if rows > 13} <= {False}


def test_hostile_texts_are_shown_as_text(page: Any) -> None:
    assert page.locator("h1").inner_text().startswith("<script>alert(1)</script> {{7*7}}")
    shown = page.locator("main").inner_text()
    for text in HOSTILE[:5]:
        assert text[:40] in shown
    assert "\\x1b[31m" in shown
    assert "\\u202e" in shown
    assert "49" not in page.locator("h1").inner_text()
    assert page.locator("main script, main img, main iframe").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0


def test_several_studies_are_one_page(
    open_page: OpenPage, written: headstart.WrittenReport, tmp_path: Path
) -> None:
    other = write_report_study(tmp_path, seeds=2)
    both = headstart.write_report(Path(written.studies[0]), other, output=tmp_path / "both")
    page = open_page(both.page)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    page.locator("#study-2").get_by_role("button", name="random", exact=True).click()
    assert list_shown(page, "#study-2 [data-arm=random]") == []
    assert list_shown(page, "#study-1 [data-arm=random]") != []
