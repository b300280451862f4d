"""Renders pages of studies as one HTML document without anything outside of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from headstart.analysis.details.origins import hide_home
from headstart.data.controls import escape_hidden
from headstart.report.figures.palette import ARM_COLOURS
from headstart.report.page.blocks import StudyPage, find_number
from headstart.report.page.inline_svg import shorten_svg
from headstart.wording import format_count

_ASSETS: Final = Path(__file__).parent / "assets"
#: Stands in each page of ours, by which it is known again.
GENERATOR: Final = "headstart report"


def render_page(pages: Sequence[StudyPage], *, live_version: str = "") -> str:
    """The document: it opens from a file without a network, and is whole without its script.

    Args:
        live_version: tells it from what it will be later, where it is served and is to follow that: it then
            asks its server for `version`, and for nothing else.
    """
    style, script = _read_asset("page.css"), _read_asset("page.js")
    live_script = _read_asset("live.js")
    return (
        _make_environment()
        .get_template("page.html.j2")
        .render(
            title=pages[0].title if len(pages) == 1 else format_count(len(pages), "study", "studies"),
            generator=f"{GENERATOR} {version('headstart')}",
            version=version("headstart"),
            pages=pages,
            is_one=len(pages) == 1,
            colours=ARM_COLOURS,
            style=style,
            script=script,
            script_digest=_digest_script(script),
            live_version=live_version,
            live_script=live_script,
            live_digest=_digest_script(live_script),
        )
    )


def _make_environment() -> Environment:
    """Everything that is put in is escaped; a name that a template misspells is an error."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show_hidden,
    )
    numbers = count()
    environment.filters["shorten"] = lambda figure: shorten_svg(figure.svg, figure.name, f"f{next(numbers)}")
    environment.filters["number"] = find_number
    return environment


def _show_hidden(value: Any) -> Any:
    """Text with what a page would hide, or turn round, written as escapes, and without the home folder, as
    others read it; markup of ours as it is."""
    return hide_home(escape_hidden(value)) if type(value) is str else value


def _read_asset(name: str) -> Markup:
    """A file of ours, as it is: nothing of a study is in it."""
    return Markup((_ASSETS / name).read_text(encoding="utf-8"))  # noqa: S704


def _digest_script(script: str) -> str:
    """As a page's policy names the one script that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
