"""`headstart report`: writes studies as one page that needs nothing else, beside figures and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headstart.analysis.details.study_details import StudyDetails, read_details
from headstart.analysis.results import Results
from headstart.commands.load import open_results
from headstart.commands.report_folder import (
    PAGE_FILE,
    check_report_folder,
    find_foreign,
    is_report,
    open_report_folder,
)
from headstart.errors import HeadstartError, OutputError
from headstart.files import write_text
from headstart.report.figures.draw_all import draw_figures
from headstart.report.figures.figure import Figure, prefix_names, save_figure
from headstart.report.page.blocks import StudyPage
from headstart.report.page.page import render_page
from headstart.report.page.study_page import make_study_page
from headstart.report.page.table_files import write_tables
from headstart.report.page.written import WrittenReport
from headstart.stages import tell_stage

if TYPE_CHECKING:
    from headstart.execute.open_study import OpenStudy

#: In a study's folder, or in the present one for several studies.
REPORT_FOLDER: Final = "report"


def write_report(
    *sources: str | Path, output: str | Path | None = None, texts: bool = True, force: bool = False
) -> WrittenReport:
    """Write the results of studies, finished or not, as one HTML page that opens without a network.

    Beside the page lie its figures as SVG, PNG and PDF, and its tables as CSV, Markdown and LaTeX. Neither
    the model nor torch is needed. A former report in the folder is replaced.

    Example:
        written = headstart.write_report("runs/study")
        print(written.page)  # runs/study/report/index.html

    Args:
        sources: folders of studies; several become one page.
        output: the folder to write; `report` in the study's folder by default, or here for several studies.
        texts: show single texts of the data, prompts and answers.
        force: write into a folder that holds other files.

    Raises:
        HeadstartError: a source is no study; a file of it was changed.
        OutputError: the folder holds something other than a report, or cannot be written.
    """
    if not sources:
        raise HeadstartError("no study is named", where="report", expected="a study's folder, or several")
    folder = Path(output) if output is not None else _choose_folder(sources)
    check_report_folder(folder, force=force)
    _check_output(folder, sources)
    details = [_read(source, with_texts=texts) for source in sources]
    tell_stage("drawing figures")
    made = list(_make_pages(details, with_texts=texts))
    page = render_page([study for study, _ in made])
    tell_stage(f"writing {folder}")
    with open_report_folder(folder) as scratch:
        (scratch / PAGE_FILE).write_text(page, encoding="utf-8")
        figures = [name for _, drawn in made for name in _save_figures(drawn, scratch / "figures")]
        tables = [
            name for study, _ in made for name in _save_tables(study, scratch / "tables", len(made) > 1)
        ]
    names = tuple(str(source) for source in sources)
    return WrittenReport(folder / PAGE_FILE, names, len(page.encode()), tuple(figures), tuple(tables))


def write_results_page(results: Results, opened: OpenStudy | None = None) -> Path:
    """Write the page alone of a study that has just ended; what else of a report is there stays as it was.

    Args:
        opened: the study as it was run, which has read its data and predictions.

    Raises:
        OutputError: the folder holds a page of somebody else, or cannot be written.
    """
    folder = results.out / REPORT_FOLDER
    if folder.exists() and not is_report(folder) and find_foreign(folder):
        check_report_folder(folder, force=False)
    if opened is None:
        details = read_details(results)
    else:
        details = read_details(
            results, load=lambda study: opened.prepared.corpus, read=opened.read_predictions
        )
    study, _ = next(_make_pages([details], with_texts=True))
    write_text(folder / PAGE_FILE, render_page([study]))
    return folder / PAGE_FILE


def _choose_folder(sources: Sequence[str | Path]) -> Path:
    return Path(sources[0]) / REPORT_FOLDER if len(sources) == 1 else Path(REPORT_FOLDER)


def _check_output(folder: Path, sources: Sequence[str | Path]) -> None:
    """See that no study's own folder is taken for a report's."""
    if any(Path(source).resolve() == folder.resolve() for source in sources):
        raise OutputError("is the study's own folder", where=str(folder), fix="another folder: -o FOLDER")


def _read(source: str | Path, *, with_texts: bool) -> StudyDetails:
    tell_stage(f"reading predictions of {source}")
    results, read = open_results(source)
    return read_details(results, with_texts=with_texts, read=read)


def _make_pages(
    details: Sequence[StudyDetails], *, with_texts: bool
) -> Iterator[tuple[StudyPage, tuple[Figure, ...]]]:
    """Each study's sections and figures; of several studies names begin with the study's."""
    for number, one in enumerate(details, 1):
        name = "study" if len(details) == 1 else f"study-{number}"
        with prefix_names("" if len(details) == 1 else f"{name}-"):
            figures = draw_figures(one)
        yield make_study_page(one, figures, name=name, with_texts=with_texts), figures


def _save_figures(figures: Sequence[Figure], folder: Path) -> Iterator[str]:
    for figure in figures:
        folder.mkdir(exist_ok=True)
        save_figure(figure, folder)
        yield figure.name


def _save_tables(study: StudyPage, folder: Path, has_others: bool) -> list[str]:
    return write_tables(study.tables, folder, f"{study.name}-" if has_others else "")
