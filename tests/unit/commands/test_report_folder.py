"""A report replaces a former one, and no file of anybody else; it is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.commands.report_folder import check_report_folder, find_foreign, is_report, open_report_folder
from headstart.errors import OutputError
from headstart.report.page.page import GENERATOR

PAGE = f'<meta name="generator" content="{GENERATOR} 0.1.0">'


def write(folder: Path, *names: str, text: str = PAGE) -> None:
    with open_report_folder(folder) as scratch:
        for name in names:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_text(text)


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_former_report_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(folder, "index.html", "figures/a.svg")
    assert is_report(folder)
    assert find_foreign(folder) is None
    check_report_folder(folder, force=False)
    write(folder, "index.html", "tables/b.csv", text=PAGE + "new")
    assert list_files(folder) == ["files.txt", "index.html", "tables/b.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_file_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(folder, "index.html", "figures/a.svg")
    (folder / "figures" / "mine.svg").write_text("mine")
    with pytest.raises(OutputError, match=r"something other than a report: figures/mine\.svg"):
        check_report_folder(folder, force=False)
    check_report_folder(folder, force=True)
    write(folder, "index.html", "figures/b.svg", text=PAGE + "new")
    assert (folder / "figures" / "mine.svg").read_text() == "mine"
    assert (folder / "index.html").read_text().endswith("new")
    assert (folder / "figures" / "b.svg").is_file()


@pytest.mark.parametrize("name", ["index.html", "notes.txt"])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<p>mine</p>")
    with pytest.raises(OutputError, match=name):
        check_report_folder(tmp_path, force=False)


def test_a_file_in_its_place_is_refused_even_by_force(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("mine")
    with pytest.raises(OutputError, match="not a folder"):
        check_report_folder(tmp_path / "report", force=True)


def test_what_fails_leaves_the_former_one(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write(folder, "index.html")
    with pytest.raises(TypeError):
        write(folder, "index.html", text=b"half")  # type: ignore[arg-type]
    assert (folder / "index.html").read_text() == PAGE
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
