"""What `headstart watch` does: serves the page of a study under way to this machine alone, as it is now."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from headstart.analysis.details.live import find_live_study, join_live_curves
from headstart.analysis.details.study_details import read_details
from headstart.commands.load import load, open_results
from headstart.config.study import Study
from headstart.config.trackers import read_settings
from headstart.data.checks import load_corpus
from headstart.data.corpus import Corpus
from headstart.errors import HeadstartError
from headstart.loopback import LoopbackServer, Page
from headstart.report.figures.draw_all import draw_figures
from headstart.report.page.live_section import make_live_section
from headstart.report.page.page import render_page
from headstart.report.page.study_page import make_study_page
from headstart.store.adapted import list_adapting_files
from headstart.store.layout import StudyLayout
from headstart.store.study_lock import find_holder

_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"


def watch(out: str | Path, *, port: int = 0, texts: bool = True) -> LoopbackServer:
    """Serve a page of a study, under way or not, that follows its folder; trains nothing, writes nothing.

    Only this machine can open it. It may be closed and opened again, before, while and after the study is
    trained, by whatever process.

    Example:
        with headstart.watch("runs/study") as server:
            print(server.address)
            server.serve_forever()

    Args:
        port: where it is served; a free one by default.
        texts: show single texts of the data, prompts and answers.

    Returns:
        The server, which listens and has answered nothing yet.

    Raises:
        HeadstartError: the folder holds no study that was run; the port cannot be used.
    """
    load(out)  # else a browser would be the first to be told that there is no study
    page = _LivePage(Path(out), with_texts=texts)
    return LoopbackServer({"/": page.make, "/version": page.make_version}, port)


class _LivePage:
    """The page of a study's folder, made anew when something there has changed, one request at a time."""

    def __init__(self, out: Path, *, with_texts: bool) -> None:
        self._layout, self._with_texts = StudyLayout(out), with_texts
        self._made: tuple[str, Page] | None = None
        self._data: tuple[Study, Corpus] | None = None
        self._lock = threading.Lock()

    def make(self) -> Page:
        """As it is now; one that names the fault where the folder cannot be read."""
        with self._lock:
            version = self._find_version()
            if self._made is None or self._made[0] != version:
                self._made = version, self._render(version)
            return self._made[1]

    def make_version(self) -> Page:
        """What tells the page from what it was, or will be."""
        return Page(self._find_version().encode(), _TEXT)

    def _find_version(self) -> str:
        held = find_holder(self._layout.out) is not None
        told = "\n".join((str(held), *sorted(_list_files(self._layout))))
        return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()

    def _render(self, version: str) -> Page:
        try:
            return Page(self._render_study(version).encode(), _HTML)
        except (HeadstartError, OSError) as error:
            # Between two looks a file may have been replaced: the next look is a few seconds away.
            return Page(f"{error}\n".encode(), _TEXT, (("Refresh", "5"),))

    def _render_study(self, version: str) -> str:
        results, read = open_results(self._layout.out)
        live = find_live_study(results.study, results.records, self._layout)
        details = read_details(results, with_texts=self._with_texts, load=self._load, read=read)
        details = join_live_curves(details, live)
        study = make_study_page(details, draw_figures(details), with_texts=self._with_texts)
        is_held = find_holder(self._layout.out) is not None
        has_events = "tensorboard" in read_settings(results.study.trackers)
        now = make_live_section(live, results.study.metric, is_held=is_held, has_events=has_events)
        return render_page([replace(study, state="", sections=(now, *study.sections))], live_version=version)

    def _load(self, study: Study) -> Corpus:
        """The study's data, read once: they are those of all its runs, or of none."""
        if self._data is None or self._data[0] != study:
            self._data = study, load_corpus(study)
        return self._data[1]


def _list_files(layout: StudyLayout) -> Iterator[str]:
    """The files that the page is made from, each with its size and time."""
    for folder in (layout.runs_folder, layout.out / "tensorboard"):
        for file in folder.rglob("*"):
            if file.name == "record.json" or file.name.startswith("events."):
                yield _describe_file(file)
    for file in (*layout.judgements_folder.glob("*.json"), *list_adapting_files(layout)):
        yield _describe_file(file)
    yield _describe_file(layout.looks_file)
    yield _describe_file(layout.study_file)


def _describe_file(file: Path) -> str:
    try:
        status = file.stat()
    except FileNotFoundError:  # moved away since it was listed
        return f"{file}"
    return f"{file} {status.st_size} {status.st_mtime_ns}"
