"""Records and predictions that were edited or damaged: who only reads refuses them, `run` redoes them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from baseline_studies import copy_study, run_baselines
from headstart.cli import main

StudyIn = Callable[..., Path]
Damage = Callable[[Path], None]
RUN = Path("runs/words/all/1")
KEY = "words/all/1"


@pytest.fixture(scope="module")
def done(study_in: StudyIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a study of two arms that make no steps, which was run."""
    return run_baselines(study_in, tmp_path_factory.mktemp("damaged"))


@pytest.fixture
def study(done: Path, tmp_path: Path) -> Path:
    """A copy of its folder, to be damaged, with a study file of its own."""
    return copy_study(done, tmp_path)


def edit(file: Path, *, seal: bool = False, **changes: Any) -> None:
    """Change values of a record, as by hand; `seal` leaves its digest out, as in a record of before."""
    values = json.loads(file.read_text(encoding="utf-8"))
    values |= changes
    if seal:
        values |= {"digest": None}
    file.write_text(json.dumps(values), encoding="utf-8")


def edit_old(**changes: Any) -> Damage:
    """An edit of a record that has no digest."""
    return lambda run: edit(run / "record.json", seal=True, **changes)


def write(name: str, content: bytes) -> Damage:
    return lambda run: void((run / name).write_bytes(content))


def void(_: object) -> None:
    """Give nothing."""


def cut(name: str) -> Damage:
    return lambda run: void((run / name).write_bytes((run / name).read_bytes()[:100]))


def make_folder(name: str) -> Damage:
    def damage(run: Path) -> None:
        (run / name).unlink()
        (run / name / "inner").mkdir(parents=True)

    return damage


def copy_from_other_seed(run: Path) -> None:
    shutil.copy(run.parent / "0" / "record.json", run / "record.json")


def make_pipe(run: Path) -> None:
    (run / "record.json").unlink()
    os.mkfifo(run / "record.json")


def swap_predictions(run: Path) -> None:
    table = pq.read_table(run / "predictions.parquet")
    place, labels = table.column_names.index("predicted"), table["label"].to_pylist()
    pq.write_table(table.set_column(place, "predicted", [labels[::-1]]), run / "predictions.parquet")


def drop_column(run: Path) -> None:
    edit(run / "record.json", seal=True, files={})
    table = pq.read_table(run / "predictions.parquet")
    pq.write_table(table.drop_columns("predicted"), run / "predictions.parquet")


def write_null(run: Path) -> None:
    edit(run / "record.json", seal=True, files={})
    table = pq.read_table(run / "predictions.parquet")
    nothing = pa.array([None] * table.num_rows, pa.string())
    pq.write_table(table.set_column(1, "label", nothing), run / "predictions.parquet")


def edit_prediction(run: Path) -> None:
    """In a folder of before, whose records have no digests."""
    edit(run / "record.json", seal=True, files={})
    swap_predictions(run)


SCORES = {"accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.5, "mcc": 0.0, "loss": 0.7}
DAMAGES: dict[str, tuple[Damage, str]] = {
    "figure": (lambda run: edit(run / "record.json", train_examples=7), "its digest differs"),
    "empty": (write("record.json", b""), "is empty"),
    "cut": (cut("record.json"), "is not complete JSON"),
    "not utf-8": (write("record.json", b"\xff\xfe{}"), "is not UTF-8 text"),
    "a list": (write("record.json", b"[1]"), "is not a JSON object"),
    "deep": (write("record.json", b"[" * 200_000), "deep"),
    "digits": (write("record.json", b'{"schema_version": ' + b"1" * 5000 + b"}"), "is not complete JSON"),
    "twice": (write("record.json", b'{"schema_version": 2, "schema_version": 2}'), "appears twice"),
    "no version": (write("record.json", b"{}"), "has no schema_version"),
    "a type": (edit_old(seed="one"), "seed: Input should be a valid integer"),
    "nan": (edit_old(seconds=float("nan")), "NaN is not a JSON number"),
    "infinity": (edit_old(test=SCORES | {"loss": float("inf")}), "Infinity is not a JSON number"),
    "a share of 7": (
        edit_old(test=SCORES | {"accuracy": 7.0}),
        "test accuracy is 7: it lies between 0 and 1",
    ),
    "another share": (edit_old(test=SCORES | {"accuracy": 0.531}), "accuracy is 0.531 in the record, and "),
    "a negative count": (edit_old(train_examples=-1), "train_examples is -1"),
    "no valid": (edit_old(valid=None), "has no valid metrics"),
    "a folder": (make_folder("record.json"), "is not a file"),
    "a pipe": (make_pipe, "is not a file"),
    "of another seed": (copy_from_other_seed, "is the record of another run, words/all/0"),
    "predictions": (swap_predictions, "its SHA-256 differs"),
    "predictions cut": (cut("predictions.parquet"), "its SHA-256 differs"),
    "predictions a folder": (make_folder("predictions.parquet"), "its SHA-256 differs"),
    "old predictions": (edit_prediction, "in the record, and 0 according to its predictions"),
    "a column gone": (drop_column, "predictions cannot be read"),
    "no labels": (write_null, "an example has no 'label'"),
}


def said(capfd: pytest.CaptureFixture[str]) -> str:
    streams = capfd.readouterr()
    return " ".join((streams.out + streams.err).split())


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_named_and_redone(study: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    damage, what = DAMAGES[name]
    out = study.parent / "out"
    before = (out / RUN / "predictions.parquet").read_bytes()
    damage(out / RUN)
    damaged = {file.name: file.read_bytes() for file in (out / RUN).iterdir() if file.is_file()}
    capfd.readouterr()
    assert main(["compare", str(out)]) == 2
    assert what in (words := said(capfd))
    assert f"{RUN.as_posix()}/" in words
    assert "run the study again: the run is redone" in words
    assert main(["run", str(study)]) == 0
    assert f"run {KEY} is redone, and the old files are kept in set-aside/" in (words := said(capfd))
    assert what in words
    kept = out / "set-aside" / KEY / "1"
    assert {file.name: file.read_bytes() for file in kept.iterdir() if file.is_file()} == damaged
    assert (out / RUN / "predictions.parquet").read_bytes() == before


def test_a_run_that_was_redone_is_as_any_other(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = study.parent / "out"
    for number in ("1", "2"):
        edit(out / RUN / "record.json", train_examples=7)
        assert main(["power", str(out)]) == 2
        assert "its digest differs" in said(capfd)
        assert main(["run", str(study)]) == 0
        assert "is redone" in said(capfd)
        assert (out / "set-aside" / KEY / number / "record.json").is_file()
    assert main(["compare", str(out)]) == 0
    assert main(["run", str(study)]) == 0
    assert "is redone" not in said(capfd)


@contextmanager
def counted(run: Path) -> Iterator[list[bool]]:
    """Whether the run's record is the very file that it was, when the block has ended."""
    before, same = (run / "record.json").stat().st_mtime_ns, list[bool]()
    yield same
    same.append((run / "record.json").stat().st_mtime_ns == before)


def test_plan_says_it_and_writes_nothing(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = study.parent / "out"
    edit(out / RUN / "record.json", train_examples=7)
    with counted(out / RUN) as same:
        assert main(["plan", str(study)]) == 0
    assert same == [True]
    assert not (out / "set-aside").exists()
    assert f"run {KEY} is redone" in said(capfd)


def test_a_record_of_a_later_version_is_refused_and_never_redone(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = study.parent / "out"
    edit(out / RUN / "record.json", schema_version=3, more={"figures": [1]})
    with counted(out / RUN) as same:
        for words in (["run", str(study)], ["plan", str(study)], ["compare", str(out)], ["power", str(out)]):
            assert main(words) == 2
            assert f"{RUN}/record.json is of schema version 3, which a later Headstart wrote" in said(capfd)
    assert same == [True]


def test_a_folder_of_before_goes_on(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without digests, indented anew, with the line ends and the mark that an editor on Windows writes."""
    out = study.parent / "out"
    for file in out.glob("runs/*/*/*/record.json"):
        values = json.loads(file.read_text(encoding="utf-8"))
        del values["digest"], values["files"]
        file.write_bytes(b"\xef\xbb\xbf" + json.dumps(values, indent=4).replace("\n", "\r\n").encode())
    with counted(out / RUN) as same:
        assert main(["run", str(study)]) == 0
        assert main(["compare", str(out)]) == 0
    assert same == [True]
    assert "is redone" not in said(capfd)


def test_other_white_space_is_no_edit(study: Path) -> None:
    out = study.parent / "out"
    record = out / RUN / "record.json"
    record.write_bytes(record.read_bytes().replace(b"\n", b"\r\n"))
    assert main(["compare", str(out)]) == 0


def test_a_folder_that_was_moved_is_compared_where_it_is(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = study.parent / "out"
    assert main(["compare", str(out)]) == 0
    before = said(capfd)
    file = out / "study.yaml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    shutil.move(out, tmp_path / "elsewhere")
    assert main(["compare", str(tmp_path / "elsewhere")]) == 0
    assert said(capfd) == before


def test_predictions_that_were_deleted_are_not_missed(study: Path) -> None:
    (study.parent / "out" / RUN / "predictions.parquet").unlink()
    with counted(study.parent / "out" / RUN) as same:
        assert main(["compare", str(study.parent / "out")]) == 0
        assert main(["run", str(study)]) == 0
    assert same == [True]


def test_a_damaged_run_that_no_study_asks_for_is_set_aside_alone(study: Path) -> None:
    out = study.parent / "out"
    shutil.copytree(out / RUN, out / RUN.with_name("7"))
    assert main(["compare", str(out)]) == 2
    assert main(["run", str(study)]) == 0
    assert main(["compare", str(out)]) == 0
    assert (out / "set-aside/words/all/7/1/record.json").is_file()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"NaN"])
def test_what_is_derived_is_written_anew(study: Path, content: bytes) -> None:
    out = study.parent / "out"
    before = {name: json.loads((out / name).read_bytes()) for name in ("results.json", "plan.json")}
    for name in before:
        (out / name).write_bytes(content)
    assert main(["compare", str(out)]) == 0
    assert main(["run", str(study)]) == 0
    after = json.loads((out / "results.json").read_bytes())
    assert after | {"study": 0} == before["results.json"] | {"study": 0}
    assert json.loads((out / "plan.json").read_bytes())["runs"]


def test_results_edited_by_hand_decide_nothing(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = study.parent / "out"
    assert main(["compare", str(out)]) == 0
    before = said(capfd)
    text = (out / "results.json").read_text(encoding="utf-8")
    (out / "results.json").write_text(text.replace('"mean": 0', '"mean": 1'), encoding="utf-8")
    assert main(["compare", str(out)]) == 0
    assert said(capfd) == before


@pytest.mark.parametrize("content", [b"", b"seeds: [", b"\xff\xfe"])
def test_a_study_file_of_the_folder_that_cannot_be_read_is_named(
    study: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    out = study.parent / "out"
    (out / "study.yaml").write_bytes(content)
    assert main(["run", str(study)]) == 2  # which would write over it
    assert "out/study.yaml: was changed since headstart wrote it" in said(capfd).replace("- ", "-")
    assert main(["compare", str(out)]) == 2
    assert "out/study.yaml: the study that was run here cannot be read" in said(capfd).replace("- ", "-")
