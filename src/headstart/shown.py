"""What the results of public functions have in common: they print as a report, and become data frames."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

if TYPE_CHECKING:
    import pandas

#: Lines that `print` shows: a screen.
SCREEN_LINES: Final = 40


class View(Protocol):
    """How results of one type are shown: what `report.views` has for each."""

    def summarise(self, result: Any) -> str:
        """What it is, in one line."""

    def render_text(self, result: Any, width: int | None, lines: int | None) -> str:
        """As on a terminal, without colours; cut after `lines` lines."""

    def render_html(self, result: Any) -> str:
        """As HTML that stands by itself."""

    def make_frame(self, result: Any, table: str | None) -> pandas.DataFrame:
        """One of its tables, the first by default."""


def load_object(place: str) -> Any:
    """The object at `module:name`, imported now: how a layer gets at one above it, which imports it."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class Shown:
    """Base of what public functions return.

    Printed, it is a screen: the tables of the command line. In a list or a debugger it is one line, in a
    notebook it is HTML. Types stand in the layer that makes them, and reports above these; so each type names
    its view, which is imported when it is first shown: `class Plan(Shown, view="module:NAME")`.
    """

    _view: ClassVar[str] = ""

    def __init_subclass__(cls, *, view: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        if view:
            cls._view = view

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._load_view().summarise(self)}>"

    def __str__(self) -> str:
        return self.to_text(lines=SCREEN_LINES)

    def _repr_html_(self) -> str:
        return self._load_view().render_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """A screen in IPython, and one line inside of lists."""
        printer.text(repr(self) if cycle or printer.indentation else str(self))

    def to_text(self, *, width: int | None = None, lines: int | None = None) -> str:
        """The tables and sentences that the command line shows, without colours.

        Args:
            width: characters a line; the terminal's by default, or 100.
            lines: after which it is cut, and the last line says so; all by default.
        """
        return self._load_view().render_text(self, width, lines)

    def frame(self, table: str | None = None) -> pandas.DataFrame:
        """One of its tables as a pandas data frame, a row for each thing; values as in `to_dict`.

        Args:
            table: the name of the table; the one that matters most by default. A name that is not known is
                answered by those that are.

        Raises:
            HeadstartError: pandas is not installed, or there is no such table.
        """
        return self._load_view().make_frame(self, table)

    def _load_view(self) -> View:
        view: View = load_object(self._view)
        return view
