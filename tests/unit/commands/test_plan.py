"""A plan as plain values: nothing is written, what is done costs nothing, JSON takes all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from headstart import load_study, plan, run
from headstart.cli import main
from headstart.stages import listen_to_stages

StudyFile = Callable[..., Path]


def test_without_a_probe_no_time_is_known_and_nothing_is_written(
    study_file: StudyFile, tmp_path: Path
) -> None:
    study_plan = plan(load_study(study_file()))
    assert (study_plan.cost.seconds, study_plan.cost.placement, study_plan.cost.packs) == (None, None, None)
    assert not (tmp_path / "out").exists()


def test_when_all_is_done_nothing_is_left_to_pay(study_file: StudyFile) -> None:
    study = load_study(study_file())
    run(study)
    study_plan = plan(study, probe=True)
    assert study_plan.cost.groups == ()
    assert study_plan.cost.seconds is None
    assert study_plan.done == {run.key for run in study_plan.runs}


def test_what_takes_a_while_is_told(study_file: StudyFile) -> None:
    logged: list[str] = []
    told: list[str] = []
    with listen_to_stages(told.append):
        plan(load_study(study_file(workers=1)), logged.append, probe=True)
    assert "timing a few steps of each kind of run" in told
    assert logged == []


def test_plain_values_hold_all_of_it(study_file: StudyFile) -> None:
    values = json.loads(json.dumps(plan(load_study(study_file(workers=1)), probe=True).to_dict()))
    assert list(values) == [
        "schema_version",
        *("task", "texts", "test_groups", "group_source", "labels", "label_statistics", "tokens", "lengths"),
        *("prompt_formats", "learning_rates", "warnings", "runs", "to_come", "parameters", "groups", "cost"),
    ]
    cost = values["cost"]
    assert set(cost) == {"memory", "gpus", "disk", "seconds", "placement", "packs", "adapting"}
    assert set(cost["placement"]) == {"workers", "threads", "pack", "reason"}
    assert set(cost["disk"]) == {"bytes", "state_bytes", "free_bytes"}
    assert [pack["runs"] for pack in cost["packs"]] == [
        ["pretrained/all/0"],
        ["random/all/0"],
        ["words/all/0"],
    ]
    assert set(cost["packs"][0]) == {"runs", "memory_bytes", "device_memory_bytes", "seconds"}
    measured = values["groups"][0]["measured"]
    assert set(measured) == {"memory_bytes", "seconds_per_step", "runs", "device_memory_bytes"}
    assert values["parameters"]["words"] is None
    assert set(values["parameters"]["random"]) == {"total", "trainable"}


def test_frozen_noise_and_a_rate_for_all_methods_are_told(study_file: StudyFile) -> None:
    """With the share of the weights that are counted."""
    pytest.importorskip("peft")
    arms = {"full": {}, "random": {"init": "random", "method": "lora"}}
    values = plan(load_study(study_file(arms=arms, training={"learning_rate": 1e-4}))).to_dict()
    said = {warning["kind"]: warning["message"] for warning in values["warnings"]}
    counted = values["parameters"]["random"]
    assert f"({counted['trainable']:,} of {counted['total']:,} weights)" in said["frozen-noise"]
    assert "full (3e-05)" in said["learning-rate"]
    assert values["learning_rates"]["random"]["source"] == "study"


def test_the_plan_of_a_run_is_the_same_on_disk(study_file: StudyFile, tmp_path: Path) -> None:
    study = load_study(study_file())
    expected = plan(study).to_dict()
    run(study)
    written = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    for values in (expected, written):
        del values["cost"]["memory"]["free_bytes"], values["cost"]["disk"]["free_bytes"]
        for group in values["groups"]:
            del group["memory_bytes"]  # this process has grown since
    assert written == json.loads(json.dumps(expected))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for who had it last."""
    files = (file for file in folder.rglob("*") if file.is_file() and ".headstart" not in str(file))
    return {str(file): file.read_bytes() for file in files}


def test_a_plan_on_other_data_says_that_run_needs_another_folder(
    study_file: StudyFile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = study_file(arms={"words": {"method": "bag-of-words"}}, seeds=1)
    assert main(["run", str(file), "-q"]) == 0
    before = snapshot(tmp_path)
    (tmp_path / "out-2").mkdir()  # taken
    capfd.readouterr()
    assert main(["plan", str(file), "select.metric=loss", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)
    (warning,) = (one for one in values["warnings"] if one["kind"] == "other-study")
    assert "the folder contains another study; differences: select.metric" in warning["message"]
    assert warning["message"].endswith(f"`run` needs another folder, such as out={tmp_path / 'out-3'}")
    assert [run["done"] for run in values["runs"]] == [False]
    assert snapshot(tmp_path) == before
    assert main(["plan", str(file)]) == 0
    shown = capfd.readouterr().out
    assert "disk: nothing to write" in shown
    assert "time: " not in shown
    test = tmp_path / "reviews" / "test.jsonl"
    test.write_text("".join(test.read_text("utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert main(["plan", str(file)]) == 0
    assert "a file has changed since" in " ".join(capfd.readouterr().out.split())
    assert main(["run", str(file)]) == 2
