"""What a study will cost: parameters as records count them, memory as it grows, what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headstart import Plan, load_study, plan, run
from headstart.config.expand import expand
from headstart.execute import needs
from headstart.execute.needs import need_of, parameters_of
from headstart.execute.prepare import prepare

StudyFile = Callable[..., Path]
IA3 = {"peft_type": "IA3", "target_modules": ["query"], "feedforward_modules": []}
ARMS: dict[str, Any] = {
    "full": {},
    "random": {"init": "random"},
    "lora": {"method": "lora", "lora": {"r": 2}},
    "probe": {"method": "probe"},
    "ia3": {
        "method": "peft",
        "peft": {"peft_type": "IA3", "target_modules": ["query"], "feedforward_modules": []},
    },
    "words": {"method": "bag-of-words"},
}
GIB = 2**30


def folder_bytes(folder: Path) -> int:
    """What files below a folder take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def made(study_file: StudyFile, **changes: Any) -> Plan:
    return plan(load_study(study_file(**changes)))


def test_parameters_are_those_that_records_count(study_file: StudyFile) -> None:
    study = load_study(study_file(arms=ARMS))
    expected = plan(study).facts["parameters"]
    records = {record.arm: record for record in run(study).records}
    assert expected.pop("words") is None
    for arm, own in expected.items():
        parameters = records[arm].parameters
        assert parameters is not None
        assert own == parameters.model_dump(), arm


def test_every_run_is_in_a_group_and_those_that_step_have_a_need(study_file: StudyFile) -> None:
    groups = made(study_file, arms=ARMS).facts["groups"]
    known = {key.partition("/")[0]: g["memory_bytes"] is not None for g in groups for key in g["runs"]}
    assert known == {a: a in ("full", "random", "lora", "ia3") for a in ARMS}


def test_a_need_grows_with_batch_length_and_copies(study_file: StudyFile) -> None:
    def need(**training: Any) -> Any:
        study = load_study(study_file(arms={"full": {}, "words": None}, training={"epochs": 1} | training))
        runs = expand(study)
        return need_of(runs, prepare(study, runs))

    small, wide, long = need(batch_size=4), need(batch_size=16), need(batch_size=4, epochs=2)
    assert wide.step > 2 * small.step
    assert long.member == 5 * small.member / 4  # the weights of the best epoch
    assert need(batch_size=4, max_length=6).step < small.step
    assert need(batch_size=16, gradient_checkpointing=True).step < wide.step
    assert small.member == 4 * 4 * _trained(study_file)


def _trained(study_file: StudyFile) -> int:
    study = load_study(study_file(arms={"full": {}, "words": None}, vocabulary="full"))
    runs = expand(study)
    ready = prepare(study, runs)
    parameters = parameters_of(runs[0], ready)
    assert parameters is not None
    used = load_study(study_file(arms={"full": {}, "words": None}))
    ids = prepare(used, runs).vocabulary_of(runs[0])
    assert ids is not None
    rows = len(ready.checkpoints[runs[0].checkpoint].tokenizer)
    return parameters.trainable - (rows - len(ids)) * 32


def test_a_model_that_cannot_be_traced_has_no_estimate(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a shape depends on data")

    monkeypatch.setattr(needs, "trace", failing)
    facts = made(study_file).facts
    assert {group["memory_bytes"] for group in facts["groups"] if group["alone"] is None} == {None}


@pytest.mark.parametrize(
    ("config", "is_known"),
    [
        ({"peft_type": "LORA", "init_lora_weights": "pissa", "r": 2, "target_modules": ["query"]}, False),
        ({"peft_type": "BOFT", "target_modules": ["query"], "boft_block_size": 4}, True),
        ({"peft_type": "LORA", "use_dora": True, "r": 2, "target_modules": ["query"]}, True),
    ],
    ids=["pissa", "boft", "dora"],
)
def test_adapters_that_have_to_see_numbers_are_planned_and_trained_too(
    study_file: StudyFile, config: dict[str, Any], is_known: bool
) -> None:
    study = load_study(study_file(arms={"own": {"method": "peft", "peft": config}, "words": None}))
    expected = plan(study).facts["parameters"]["own"]
    (record,) = run(study).records
    assert record.status == "done"
    assert record.parameters is not None
    assert (expected is not None) == is_known
    assert expected is None or expected == record.parameters.model_dump()


def test_what_does_not_fit_is_said_with_the_setting_to_change(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=GIB // 10))
    (notice,) = [w for w in made(study_file).facts["warnings"] if w["kind"] == "memory"]
    assert "a run of pretrained, random needs" in notice["message"]
    assert "0.1 GiB are free" in notice["message"]
    assert "training.batch_size" in notice["message"]


def test_more_processes_than_memory_holds_are_said(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = made(study_file).facts["groups"][0]["memory_bytes"]["low"]
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2.5 * low))
    assert not [w for w in made(study_file, workers=2).facts["warnings"] if w["kind"] == "memory"]
    (notice,) = [w for w in made(study_file, workers=4).facts["warnings"] if w["kind"] == "memory"]
    assert "lower workers to 2" in notice["message"]


def test_a_pack_that_is_asked_for_needs_more(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {pack: made(study_file, pack=pack, seeds=[0, 1]).facts["groups"][0] for pack in (1, 4)}
    assert groups[4]["pack"] == 4
    assert groups[4]["memory_bytes"]["low"] > groups[1]["memory_bytes"]["low"]
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=GIB // 10))
    (notice,) = [w for w in made(study_file, pack=4, seeds=[0, 1]).facts["warnings"] if w["kind"] == "memory"]
    assert "4 runs of pretrained, random as one need" in notice["message"]
    assert "lower pack" in notice["message"]


def test_a_full_disk_is_said(study_file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    (notice,) = [w for w in made(study_file).facts["warnings"] if w["kind"] == "disk"]
    assert "set out to another disk" in notice["message"]


def test_without_a_probe_no_time_is_known_and_nothing_is_written(
    study_file: StudyFile, tmp_path: Path
) -> None:
    facts = made(study_file).facts
    assert facts["cost"]["seconds"] is None
    assert facts["cost"]["crew"] is None
    assert not (tmp_path / "out").exists()
    json.dumps(facts)


def test_a_probe_measures_and_forgets(study_file: StudyFile, tmp_path: Path) -> None:
    study = load_study(study_file(arms=ARMS, workers=1, training={"epochs": 2, "batch_size": 8}))
    facts = plan(study, probe=True).facts
    assert 0 < facts["cost"]["seconds"]["low"] < facts["cost"]["seconds"]["high"]
    measured = [group["measured"] for group in facts["groups"] if "measured" in group]
    assert len(measured) == 3  # full and random are one
    assert all(one["memory_bytes"] > 0 and one["seconds_a_step"] > 0 for one in measured)
    assert not (tmp_path / "out").exists()


def test_records_hold_estimate_and_truth(study_file: StudyFile) -> None:
    study = load_study(study_file(arms={"full": {}, "words": {"method": "bag-of-words"}}))
    full, words = run(study).records
    assert full.estimate is not None
    assert full.estimate.memory_bytes is not None
    assert full.estimate.memory_bytes.low < full.estimate.memory_bytes.high
    assert full.estimate.seconds is None  # nothing was timed
    assert full.peak_memory_bytes
    assert words.estimate is not None
    assert words.estimate.memory_bytes is None


def test_disk_is_about_what_a_study_leaves(study_file: StudyFile, tmp_path: Path) -> None:
    study = load_study(study_file(arms={"full": {}, "lora": {"method": "lora"}, "words": None}))
    expected = plan(study).facts["cost"]["disk"]["bytes"]
    run(study)
    # A tiny model's weights weigh little beside what every run writes.
    assert 0.3 * folder_bytes(tmp_path / "out") < expected < folder_bytes(tmp_path / "out")


def test_when_all_is_done_nothing_is_left_to_pay(study_file: StudyFile) -> None:
    study = load_study(study_file())
    run(study)
    facts = plan(study, probe=True).facts
    assert facts["groups"] == []
    assert facts["cost"]["seconds"] is None
