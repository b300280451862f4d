"""A real browser for tests of pages: headless, without a network, one for each module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

#: Debian's, and what other systems call it.
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Without them Chromium looks for hosts of its maker at every start.
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Set by what runs CI, where these tests are never skipped.
_NEEDED: Final = "HEADSTART_NEEDS_BROWSER"
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; tests are skipped where it is not installed."""
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if program is None and not os.environ.get(_NEEDED):
        pytest.skip("no Chromium is installed: apt-get install chromium")
    assert program is not None, f"{_NEEDED} is set, and no Chromium is installed"
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Opens a file as a page. At the end the test fails if the page asked for anything else, wrote an error
    to the console, or opened a dialog."""
    faults: list[str] = []
    contexts: list[Any] = []

    def open_file(file: Path, *, width: int = 1100, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        contexts.append(context)
        context.route("**/*", lambda route: _pass_file(route, file, faults))
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on(
            "console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: _dismiss(dialog, faults))
        page.goto(file.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert faults == []


def _dismiss(dialog: Any, faults: list[str]) -> None:
    faults.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _pass_file(route: Any, file: Path, faults: list[str]) -> None:
    if route.request.url.partition("#")[0] == file.as_uri():
        route.continue_()
    else:
        faults.append(f"asked for {route.request.url}")
        route.abort()
