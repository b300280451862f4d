"""A study's folder is one process's at a time, and nobody's trace is left where no study was begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.store.fences import LeaseLostError
from headstart.store.holders import Holder
from headstart.store.runs import RunStore
from headstart.store.study_lock import hold_study_folder
from small_studies import make_record, make_study


def test_the_same_folder_by_another_path_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    with hold_study_folder(tmp_path / "out"):
        for path in ("out", "link", "./x/../out"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with (
                pytest.raises(OutputError, match="in use by this process"),
                hold_study_folder(Path(path)),
            ):
                pass


def test_what_to_do_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holder, "is_this_process", False)
    with hold_study_folder(tmp_path), pytest.raises(OutputError) as caught, hold_study_folder(tmp_path):
        pass
    assert caught.value.fix is not None
    assert "--wait" in caught.value.fix
    assert "out=FOLDER" in caught.value.fix


@pytest.mark.parametrize("exists", [True, False])
def test_no_folder_is_left_where_no_study_was_begun(tmp_path: Path, exists: bool) -> None:
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(ValueError, match="no data"), hold_study_folder(out):
        raise ValueError("no data")
    assert list(tmp_path.rglob("*")) == ([out.parent, out] if exists else [])


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match="contains something other"), hold_study_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_nothing_is_written_without_the_folder(tmp_path: Path) -> None:
    """As by a process that was stopped for so long that another took the folder over."""
    study = make_study(tmp_path)
    with hold_study_folder(tmp_path) as fence:
        store = RunStore(tmp_path, fence)
        store.open_study(study)
    before = sorted(tmp_path.rglob("*"))
    for write in (
        lambda: store.open_study(study),
        lambda: store.sweep([]),
        lambda: store.write_record(make_record()),
        lambda: store.clear_run_folder("a/all/0"),
        lambda: store.promote_model(make_record(), study, lambda _: ""),
        lambda: store.promote_chosen("a", None, lambda _: ""),
        lambda: store.log_look(study),
        lambda: store.write_json("results.json", {}),
    ):
        with pytest.raises(LeaseLostError):
            write()
    assert sorted(tmp_path.rglob("*")) == before
