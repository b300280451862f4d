"""Records are written last, read back, and named where they cannot be read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from headstart.errors import OutputError
from headstart.records import SCHEMA_VERSION
from headstart.store.layout import StudyLayout
from headstart.store.records import (
    clear_run_folder,
    read_done_records,
    read_records,
    write_json,
    write_record,
)
from small_studies import make_record

LOW, HIGH = {"learning_rate": 1e-5}, {"learning_rate": 1e-4}


def test_start_gives_an_empty_folder(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    (clear_run_folder(layout, "a/all/0") / "left.bin").write_bytes(b"x")
    layout.get_curves_folder("a/all/0").mkdir(parents=True)
    assert list(clear_run_folder(layout, "a/all/0").iterdir()) == []
    assert not layout.get_curves_folder("a/all/0").exists()


def test_record_is_read_back(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    written = write_record(layout, make_record(3))
    assert list(read_records(layout)) == [written]
    assert written.model_copy(update={"digest": None}) == make_record(3)


def test_figures_without_a_number_are_read_back(tmp_path: Path) -> None:
    """JSON has none for them: a run with an infinite perplexity left a record that nothing could read."""
    layout = StudyLayout(tmp_path)
    scores = {"loss": 900.0, "perplexity": math.inf, "pearson": math.nan}
    write_record(layout, make_record(0).model_copy(update={"test": scores}))
    assert "NaN" not in layout.record_file("a/all/0").read_text("utf-8")
    (record,) = read_records(layout)
    assert record.test is not None
    assert (record.test["loss"], record.test["perplexity"]) == (900.0, math.inf)
    assert math.isnan(record.test["pearson"])


def test_done_are_the_completed_runs_only(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    write_record(layout, make_record(0))
    write_record(layout, make_record(1, status="failed", valid=None))
    assert list(read_done_records(layout)) == ["a/all/0"]


def test_unreadable_record_is_named(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    write_record(layout, make_record(0))
    file = tmp_path / "runs/a/all/0/record.json"
    file.write_text(file.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(OutputError) as caught:
        read_done_records(layout)
    assert caught.value.where == str(file)
    assert caught.value.got.startswith("is not complete JSON")
    assert (
        caught.value.fix == "run the study again: the run is redone, and the old files are kept in set-aside/"
    )


def test_records_lie_at_both_depths(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    write_record(layout, make_record(0))
    for seed, hyperparameters in enumerate((LOW, HIGH)):
        write_record(layout, make_record(seed, arm="b", hyperparameters=hyperparameters))
    assert list(read_done_records(layout)) == [
        "a/all/0",
        "b/all/0/learning_rate=1e-05",
        "b/all/1/learning_rate=0.0001",
    ]


def test_json_is_written_for_people_too(tmp_path: Path) -> None:
    write_json(tmp_path / "plan.json", {"question": "Où ?"})
    assert (tmp_path / "plan.json").read_text(encoding="utf-8") == '{\n "question": "Où ?"\n}\n'


def test_training_state_of_an_unfinished_run_stays_but_for_what_is_half_written(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    checkpoint = layout.get_state_folder("a/all/0")
    checkpoint.mkdir(parents=True)
    for name in ("state.safetensors", ".state.safetensors-abcd1234"):
        (checkpoint / name).touch()
    clear_run_folder(layout, "a/all/0")
    assert [path.name for path in checkpoint.iterdir()] == ["state.safetensors"]


def test_run_that_is_done_needs_its_training_state_no_more(tmp_path: Path) -> None:
    layout = StudyLayout(tmp_path)
    for seed, status in enumerate(("done", "failed")):
        layout.get_state_folder(f"a/all/{seed}").mkdir(parents=True)
        write_record(layout, make_record(seed, status=status))
    assert [layout.get_state_folder(f"a/all/{seed}").exists() for seed in (0, 1)] == [False, True]


@pytest.mark.parametrize(("change", "age"), [(-1, "an earlier"), (1, "a later")])
@pytest.mark.parametrize("keys", [{}, {"a_key_of_that_version": 1}])
def test_records_of_another_version_are_refused_in_one_sentence(
    tmp_path: Path, change: int, age: str, keys: dict[str, int]
) -> None:
    layout = StudyLayout(tmp_path)
    write_record(layout, make_record())
    values = json.loads(layout.record_file("a/all/0").read_text("utf-8"))
    version = SCHEMA_VERSION + change
    write_json(layout.record_file("a/all/0"), values | {"schema_version": version} | keys)
    with pytest.raises(
        OutputError, match=f"of schema version {version}, which {age} Headstart wrote"
    ) as caught:
        read_done_records(layout)
    assert caught.value.where == str(tmp_path)
