"""What killed processes left is swept, and nothing else is."""

from __future__ import annotations

from pathlib import Path

from headstart.store.layout import StudyLayout
from headstart.store.leftovers import sweep_study_folder

OURS = [
    ".study.yaml-abcd1234",
    ".results.json-abcd_234",
    ".placement.json-abcd1234",
    "ended/.0123456789abcdef.json-abcd1234",
    ".headstart/.folder.json-abcd1234",
    ".headstart/.ray-abcd1234/runs/a/all/0/predictions.parquet",
    "judging/.abcdefghijkl.json-abcd1234",
    "models/a/.README.md-abcd1234",
    "runs/a/all/0/.record.json-abcd1234",
    "runs/a/all/0/.model-abcd1234/model/weights",
    "runs/a/all/0/learning_rate=1e-05/.predictions.parquet-abcd1234",
    "runs/a/all/0/model/.headstart.json-abcd1234",
    "runs/a/all/1/checkpoint/state.safetensors",
]
OTHERS = [
    ".env",
    ".study.yaml-abc",
    ".notes-abcd1234",
    ".study.yaml-ABCD1234",
    "study.yaml-abcd1234",
    "models/.a-notes",
    "runs/.record.json-abcd1234",
    "runs/a/all/0/.gitignore",
    "runs/a/all/0/record.json",
    "runs/a/all/2/checkpoint/state.safetensors",
    "tensorboard/.record.json-abcd1234",
]


def write(out: Path, names: list[str]) -> None:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(name)


def list_files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_only_what_is_half_written_and_ours_goes(tmp_path: Path) -> None:
    write(tmp_path, [*OURS, *OTHERS])
    sweep_study_folder(StudyLayout(tmp_path), ["a/all/1"])
    assert list_files(tmp_path) == sorted(OTHERS)


def test_nothing_is_followed_that_is_a_link(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", ["all/0/.record.json-abcd1234", ".README.md-abcd1234", "x"])
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "models").mkdir()
    (out / "runs/a").symlink_to(tmp_path / "elsewhere")
    (out / "models/a").symlink_to(tmp_path / "elsewhere")
    (out / ".study.yaml-abcd1234").symlink_to(tmp_path / "elsewhere/x")
    before = list_files(tmp_path / "elsewhere")
    sweep_study_folder(StudyLayout(out), [])
    assert list_files(tmp_path / "elsewhere") == before
    assert (out / ".study.yaml-abcd1234").is_symlink(), "none that we make is a link"


def test_a_model_that_was_about_to_be_replaced_comes_back(tmp_path: Path) -> None:
    write(tmp_path, ["models/.old-a/weights", "models/.old-b/weights", "models/b/weights"])
    sweep_study_folder(StudyLayout(tmp_path), [])
    assert list_files(tmp_path) == ["models/a/weights", "models/b/weights"]
    assert (tmp_path / "models/b/weights").read_text() == "models/b/weights"
    assert (tmp_path / "models/a/weights").read_text() == "models/.old-a/weights"
