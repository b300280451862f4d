"""What results have in common: a line, a screen, HTML and frames, by the view that their type names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from rich.text import Text

from headstart.report.views.base import ReportView
from headstart.shown import SCREEN_LINES, Shown, load_object

VIEW = ReportView(
    lambda toy: f"{toy.lines} lines",
    lambda toy: Text("\n".join(f"line {i}" for i in range(toy.lines))),
    {"lines": lambda toy: [{"line": i} for i in range(toy.lines)]},
)


class Printer:
    """Of IPython, as far as it is used."""

    def __init__(self, indentation: int = 0) -> None:
        self.indentation, self.said = indentation, ""

    def text(self, text: str) -> None:
        self.said += text


@dataclass(frozen=True, repr=False)
class Toy(Shown, view="toys:VIEW"):
    lines: int


@pytest.fixture(autouse=True)
def view(monkeypatch: pytest.MonkeyPatch) -> None:
    places: dict[str, Any] = {"toys:VIEW": VIEW}
    monkeypatch.setattr("headstart.shown.load_object", places.__getitem__)


def test_printed_it_is_a_screen_and_in_a_list_one_line() -> None:
    toy = Toy(100)
    assert len(str(toy).split("\n")) == SCREEN_LINES == 40
    assert str(toy).endswith("... 61 more lines: to_text() gives all of them")
    assert f"{toy}" == str(toy)
    assert repr([toy]) == "[<Toy: 100 lines>]"
    assert len(toy.to_text().split("\n")) == 100


def test_ipython_shows_the_screen_but_inside_of_lists() -> None:
    toy, alone, inside = Toy(3), Printer(), Printer(1)
    toy._repr_pretty_(alone, False)
    toy._repr_pretty_(inside, False)
    assert (alone.said, inside.said) == (str(toy), repr(toy))


def test_it_is_html_and_a_frame() -> None:
    assert "<p>line 0</p><p>line 1</p>" in Toy(2)._repr_html_()
    assert Toy(3).frame()["line"].tolist() == [0, 1, 2]


def test_two_that_are_equal_stay_equal() -> None:
    assert Toy(3) == Toy(3)
    assert hash(Toy(3)) == hash(Toy(3))


def test_an_object_is_found_by_its_place() -> None:
    assert load_object("headstart.shown:SCREEN_LINES") == SCREEN_LINES
