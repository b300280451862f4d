"""The served page of a study under way, in a real browser: it follows the folder, and keeps choices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headstart
from headstart.loopback import LoopbackServer
from headstart.store.layout import StudyLayout
from report_studies import write_report_study


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_report_study(tmp_path, seeds=2)


@pytest.fixture
def server(out: Path) -> Iterator[LoopbackServer]:
    with headstart.watch(out) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Any, server: LoopbackServer) -> Iterator[Any]:
    """The page; at the end the test fails if it wrote an error, or asked another server."""
    faults: list[str] = []
    context = browser.new_context()
    context.set_default_timeout(30_000)
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith(server.address) else faults.append(asked.url),
    )
    yield opened
    context.close()
    assert faults == []


def test_the_page_follows_the_folder_and_keeps_what_was_chosen(
    page: Any, out: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    record = StudyLayout(out).record_file("random/all/1")
    later = record.rename(tmp_path / "later.json")
    page.goto(server.address)
    page.get_by_text("3 of 4 runs are done.").wait_for()
    page.get_by_role("button", name="random", exact=True).click()
    later.rename(record)
    page.get_by_text("4 of 4 runs are done.").wait_for()
    button = page.get_by_role("button", name="random", exact=True)
    assert button.get_attribute("aria-pressed") == "false"
    assert not page.locator('[data-arm="random"]').first.is_visible()


def test_a_page_whose_server_ended_says_so(page: Any, server: LoopbackServer) -> None:
    page.goto(server.address)
    page.get_by_text("Following the study.").wait_for()
    server.shutdown()
    server.server_close()
    page.get_by_text("headstart watch has ended").wait_for()
