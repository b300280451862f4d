"""The notebook of the documentation runs from top to bottom, and its results show tables and figures."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from docs_desk import write_desk

NOTEBOOK: Final = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"
#: Seconds that a cell may take: the first imports torch.
PATIENCE: Final = 300


@pytest.fixture
def desk(tiny_roberta: Path, study_in: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with a study file, its data, and a study that was run."""
    folder = tmp_path / "desk"
    folder.mkdir()
    write_desk(folder, tiny_roberta, study_in)
    return folder


@pytest.fixture
def ran(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The notebook with its outputs; an error in a cell is raised. The home folder stays as it is."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(desk.parent / name.lower()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, map(str, _list_own_paths()))))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client.NotebookClient(
        notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(desk)}}
    ).execute()
    return notebook


def _list_own_paths() -> list[Path | str]:
    import headstart

    return [Path(headstart.__file__).parents[1], os.environ.get("PYTHONPATH", "")]


def list_outputs(notebook: Any, kind: str) -> list[str]:
    """What cells ended with, of one media type."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


@pytest.mark.long
def test_it_runs_and_shows_tables_and_figures(ran: Any, desk: Path) -> None:
    shown = list_outputs(ran, "text/html")
    assert len(shown) >= 7
    assert all("<table" in html for html in shown[:5])
    assert sum("<svg" in html for html in shown) == 3  # of both results, and of the comparison
    assert (desk / "runs" / "study" / "report" / "index.html").is_file()
    assert (desk / "runs" / "notebook" / "results.json").is_file()


def test_no_outputs_are_committed() -> None:
    nbformat = pytest.importorskip("nbformat")
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert len(cells) > 8
    assert [cell for cell in cells if cell.outputs or cell.execution_count] == []
