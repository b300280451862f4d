"""The folder of a report: what is in it, and when a former one may be replaced; renders nothing.

`files.txt` lists what `headstart report` wrote there, so that it is told from what others put beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from headstart.errors import OutputError
from headstart.files import read_file, replace_folder, write_folder_atomically
from headstart.os_faults import writing
from headstart.report.page.page import GENERATOR

PAGE_FILE: Final = "index.html"
_LIST_FILE: Final = "files.txt"
#: Bytes of a page in which its maker stands.
_HEAD: Final = 4_096


def check_report_folder(folder: Path, *, force: bool) -> None:
    """See that a report may be written to `folder`: it is new, empty, or holds a report and nothing else.

    With `force` files of a report's names are overwritten; what else is there stays in any case.

    Raises:
        OutputError: it may not.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise OutputError("exists and is not a folder", where=str(folder), fix="choose another name")
    if not force and (foreign := find_foreign(folder)):
        raise OutputError(
            f"contains something other than a report: {foreign}",
            where=str(folder),
            expected="a new or empty folder, or a report's",
            fix="-o FOLDER for another one, or --force to write into it; other files stay",
        )


def find_foreign(folder: Path) -> str | None:
    """A file in the folder that no report wrote, relative to it; None where there is none."""
    if not folder.is_dir():
        return None
    listed = _read_list(folder)
    known = {*listed, PAGE_FILE, _LIST_FILE} if is_report(folder) else set()
    files = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return next((name for path in files if (name := path.relative_to(folder).as_posix()) not in known), None)


def is_report(folder: Path) -> bool:
    """Whether its page is one that headstart wrote."""
    page = folder / PAGE_FILE
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        return f'content="{GENERATOR}'.encode() in stream.read(_HEAD)


def _read_list(folder: Path) -> frozenset[str]:
    file = folder / _LIST_FILE
    return (
        frozenset(read_file(file).decode("utf-8", "replace").splitlines()) if file.is_file() else frozenset()
    )


@contextmanager
def open_report_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which becomes the report: whole, or nothing is changed.

    A former report is replaced; beside files of others each file is put in its place.

    Raises:
        MachineError: it cannot be written.
    """
    if not folder.exists():
        with write_folder_atomically(folder) as scratch:
            yield scratch
            _write_list(scratch)
        return
    is_ours = find_foreign(folder) is None
    with (
        writing(folder),
        TemporaryDirectory(dir=folder.resolve().parent, prefix=f".{folder.name}-") as parent,
    ):
        scratch = Path(parent) / "report"
        scratch.mkdir()
        yield scratch
        _write_list(scratch)
        if is_ours:
            replace_folder(scratch, folder.resolve())
        else:
            _move_files(scratch, folder)


def _write_list(folder: Path) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    (folder / _LIST_FILE).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _move_files(source: Path, target: Path) -> None:
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
