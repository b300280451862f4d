"""A folder is ours by its mark, or as one of before by all that a run leaves; never by a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.config.load import dump_study
from headstart.errors import OutputError
from headstart.store.folder_mark import check_ours, read_mark, write_mark
from headstart.store.layout import StudyLayout
from headstart.store.records import write_record
from headstart.store.runs import RunStore
from small_studies import make_record, make_study

OWN = "# mine\ndata: {path: a.csv}\nmodel: m\nout: .\n"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def layout(tmp_path: Path) -> StudyLayout:
    """A folder in which a study was begun."""
    store = RunStore(tmp_path / "out")
    store.open_study(make_study(store.out))
    return store


def test_a_folder_that_a_run_began_is_ours_and_stays_so_wherever_it_is(
    layout: StudyLayout, tmp_path: Path
) -> None:
    check_ours(layout)
    layout.out.rename(tmp_path / "moved")
    check_ours(StudyLayout(tmp_path / "moved"))


@pytest.mark.parametrize(
    "content",
    [OWN, "seeds: [", dump_study(make_study(Path("/out"))) + "# and a word of mine\n"],
    ids=["short", "broken", "a comment in ours"],
)
def test_a_study_file_of_somebody_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.yaml").write_text(content, encoding="utf-8")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"study\.yaml: is a study file that headstart did not write"):
        RunStore(tmp_path).open_study(make_study(tmp_path))
    assert snapshot(tmp_path) == before


def test_a_study_file_that_was_changed_in_our_folder_is_not_overwritten(layout: StudyLayout) -> None:
    layout.study_file.write_text(OWN, encoding="utf-8")
    with pytest.raises(OutputError, match="was changed since headstart wrote it"):
        check_ours(layout)


@pytest.mark.parametrize("first", ["mark", "study file"])
def test_a_kill_between_the_mark_and_the_study_file_does_no_harm(layout: StudyLayout, first: str) -> None:
    new = dump_study(make_study(layout.out, seeds=5))
    write_mark(layout, new)
    check_ours(layout)
    if first == "study file":
        layout.study_file.write_text(new, encoding="utf-8")
        check_ours(layout)
        write_mark(layout, new)
        check_ours(layout)


@pytest.mark.parametrize("left", ["plan", "record", "nothing"])
def test_a_folder_of_before_is_known_by_what_a_run_leaves(tmp_path: Path, left: str) -> None:
    layout = StudyLayout(tmp_path)
    layout.study_file.write_text(dump_study(make_study(tmp_path)), encoding="utf-8")
    if left == "plan":
        (tmp_path / "plan.json").write_text('{"learning_rates": {}, "runs": []}', encoding="utf-8")
    elif left == "record":
        write_record(layout, make_record())
    RunStore(tmp_path).open_study(make_study(tmp_path))
    mark = read_mark(layout)
    assert mark is not None
    assert len(mark.study_files) == 1


@pytest.mark.parametrize("plan", ["[]", "{", '{"runs": []}'])
def test_names_alone_do_not_make_a_folder_ours(tmp_path: Path, plan: str) -> None:
    (tmp_path / "study.yaml").write_text(dump_study(make_study(tmp_path)), encoding="utf-8")
    (tmp_path / "plan.json").write_text(plan, encoding="utf-8")
    (tmp_path / "runs").mkdir()
    with pytest.raises(OutputError, match="contains something other than a study"):
        check_ours(StudyLayout(tmp_path))


def test_a_mark_of_that_name_alone_is_none(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    layout.own_folder.mkdir()
    layout.mark_file.write_text("{}", encoding="utf-8")
    layout.mark_file.write_text('{"holds": "a diary"}', encoding="utf-8")
    assert read_mark(layout) is None
    (tmp_path / "diary.txt").touch()
    with pytest.raises(OutputError, match="contains something other"):
        check_ours(layout)


def test_a_folder_whose_study_file_is_gone_says_so(layout: StudyLayout) -> None:
    write_record(layout, make_record())
    layout.study_file.unlink()
    with pytest.raises(OutputError, match=r"its study\.yaml is missing"):
        RunStore(layout.out).open_study(make_study(layout.out))
