"""One precision for all runs that leave it open: chosen once, and that of the runs which are done."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForSequenceClassification, ByT5Tokenizer

from conftest import SHAPE
from headstart import load_study
from headstart.config.runs import expand_runs
from headstart.device import Precision
from headstart.prepared import PreparedStudy
from headstart.records import Execution, RunRecord
from headstart.training import prepare as module
from headstart.training.prepare import keep_precision, prepare_study

StudyFile = Callable[..., Path]
ARMS = {"pretrained": {"init": "pretrained"}, "random": {"init": "random"}, "words": None}
OPEN = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3}


def _prepared(file: Path) -> PreparedStudy:
    study = load_study(file)
    return prepare_study(study, expand_runs(study))


def _done(prepared: PreparedStudy, arm: str, precision: str, seed: int = 0) -> RunRecord:
    from headstart.training.run_records import make_failed_record

    run = next(run for run in expand_runs(prepared.study) if run.arm == arm)
    record = make_failed_record(prepared.select(replace(run, seed=seed)), ValueError())
    how = Execution(device="cpu", precision=precision, threads=1, workers=1)
    return record.model_copy(update={"status": "done", "execution": how})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of a machine that has bf16 and is faster in it."""
    asked: list[str] = []

    def choose(precision: str, _: Any) -> str:
        asked.append(precision)
        return "bf16"

    monkeypatch.setattr(module, "choose_precision", choose)
    monkeypatch.setattr(module, "supports_bf16", lambda _: True)
    return asked


def test_the_precision_is_decided_once_for_all_runs(study_file: StudyFile, asked: list[str]) -> None:
    prepared = _prepared(study_file(arms=ARMS, seeds=[0, 1], training=OPEN))
    assert {prepared.select(run).precision for run in expand_runs(prepared.study)} == {"bf16"}
    assert asked == ["auto"]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
def test_the_study_may_overrule_it_without_a_probe(
    study_file: StudyFile, asked: list[str], precision: Precision
) -> None:
    training = {**OPEN, "precision": precision}
    prepared = _prepared(study_file(arms=ARMS, training=training))
    assert {prepared.select(run).precision for run in expand_runs(prepared.study)} == {precision}
    assert asked == []


def test_a_bag_of_words_asks_nothing(study_file: StudyFile, asked: list[str]) -> None:
    _prepared(study_file(arms={"bag": {"method": "bag-of-words"}, "words": None}, training=OPEN))
    assert asked == []


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ([], "bf16"),
        (["fp32"], "fp32"),
        (["bf16"], "bf16"),
        (["bf16", "fp32"], "bf16"),  # mixed already: as this machine has it
    ],
)
def test_a_study_goes_on_in_the_precision_it_began_in(
    study_file: StudyFile, asked: list[str], done: list[str], expected: str
) -> None:
    prepared = _prepared(study_file(arms=ARMS, training=OPEN))
    records = [_done(prepared, "pretrained", precision, seed) for seed, precision in enumerate(done)]
    assert keep_precision(prepared, records).precision == expected


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_bf16_is_gone_on_with_where_the_hardware_has_it(
    study_file: StudyFile, monkeypatch: pytest.MonkeyPatch, asked: list[str], has: bool, expected: str
) -> None:
    monkeypatch.setattr(module, "supports_bf16", lambda _: has)
    prepared = replace(_prepared(study_file(arms=ARMS, training=OPEN)), precision="fp32")
    assert keep_precision(prepared, [_done(prepared, "random", "bf16")]).precision == expected


def test_runs_that_name_their_precision_say_nothing_of_the_others(
    study_file: StudyFile, asked: list[str]
) -> None:
    """Nor does a bag of words, which has double precision of its own."""
    arms = {**ARMS, "bag": {"method": "bag-of-words"}}
    prepared = _prepared(study_file(arms=arms, training=OPEN))
    assert keep_precision(prepared, [_done(prepared, "bag", "fp64")]).precision == "bf16"
    exact = _prepared(study_file(arms=ARMS, training={**OPEN, "precision": "fp32"}))
    began = replace(exact, precision="bf16")
    assert keep_precision(began, [_done(exact, "random", "fp32")]).precision == "bf16"


def test_pairs_that_a_tokenizer_in_python_cuts_are_no_lines_of_log(
    study_file: StudyFile, tmp_path: Path
) -> None:
    model = BertForSequenceClassification(BertConfig(vocab_size=400, max_position_embeddings=64, **SHAPE))
    model.save_pretrained(tmp_path / "model")
    ByT5Tokenizer().save_pretrained(tmp_path / "model")
    rows = [{"a": f"one {i}", "b": "two " * 20, "label": "yn"[i % 2]} for i in range(40)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"path": str(tmp_path / "pairs.jsonl"), "text": ["a", "b"], "label": "label"}
    study = study_file(data=data, model=str(tmp_path / "model"), training=OPEN | {"max_length": 32})
    logged, listener = list[str](), logging.Handler()
    listener.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("transformers").addHandler(listener)
    try:
        prepared = _prepared(study)
    finally:
        logging.getLogger("transformers").removeHandler(listener)
    assert next(iter(prepared.tokens.values()))["train"].truncated == 28
    assert logged == []
