"""Arms have folders of their own below the study's, on every file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.store import names
from headstart.store.names import check_names, ignores_case
from headstart.store.runs import RunStore
from small_studies import make_study


@pytest.fixture
def no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system such as those of macOS and Windows."""
    monkeypatch.setattr(names, "ignores_case", lambda _: True)


@pytest.mark.usefixtures("no_case")
def test_arms_that_differ_in_case_alone_are_refused_where_they_would_share_a_folder(tmp_path: Path) -> None:
    arms = {"Tuned": {}, "tuned": {"init": "random"}, "words": None}
    with pytest.raises(OutputError, match="arms Tuned and tuned would share a folder"):
        RunStore(tmp_path / "out").open_study(make_study(tmp_path / "out", arms=arms))
    assert not (tmp_path / "out").exists()
    check_names(["tuned", "tuned2"], tmp_path)


def test_they_are_two_where_case_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "ignores_case", lambda _: False)
    check_names(["Tuned", "tuned"], tmp_path)


def test_the_file_system_is_asked(tmp_path: Path) -> None:
    (tmp_path / "Letters").mkdir()
    (tmp_path / "probe").touch()
    assert ignores_case(tmp_path / "Letters" / "7" / "out") == (tmp_path / "PROBE").exists()


@pytest.mark.parametrize("name", ["con", "AUX", "Lpt9"])
def test_devices_are_refused_on_windows(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_names([name], tmp_path)
    monkeypatch.setattr("headstart.store.names.os.name", "nt")
    with pytest.raises(OutputError, match="is a device name"):
        check_names([name], tmp_path)
