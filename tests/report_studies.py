"""Folders of studies with all that a report shows, written through the store: nothing is trained for them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import Corpus
from headstart.records import EpochPoint, Execution, Parameters, Provenance, RunRecord
from headstart.store.prediction_writer import open_predictions
from headstart.store.runs import RunStore
from headstart.tasks.columns import ClassColumns

#: What a page might obey, hide, or break on.
HOSTILE: Final = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "](javascript:alert(1))",
    "{{7*7}} {% raw %} ${7*7}",
    "\u202etxt.exe\u202c \x1b[31mred\x1b[0m",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f469\u200d\U0001f467 \U0001f600",
    "x" * 100_000,
)
ARMS: Final = {"pretrained": {}, "random": {"init": "random"}, "words": None}
N_TEST: Final = 40
#: The probability that runs give the class they choose.
SURE: Final = 0.8


def write_report_study(
    folder: Path,
    *,
    seeds: int = 3,
    done: int | None = None,
    epochs: int = 4,
    labels: Sequence[str] = ("bad", "good"),
    texts: Sequence[str] = (),
    failed: Sequence[str] = (),
    metrics: Sequence[str] = ("accuracy",),
    n_parameters: int = 1000,
    n_trainable: int = 40,
    **keys: Any,
) -> Path:
    """A study's folder with records, curves and predictions; gives it.

    Args:
        done: of so many seeds; all by default.
        texts: what test texts end in, in turn.
        failed: keys of runs that failed.
        metrics: that records have, of accuracy and loss.
        n_parameters: of each model, of which `n_trainable` train.
    """
    _write_data(folder, labels, texts)
    study = Study.model_validate(
        {
            "question": "Does it help?",
            "data": {part: str(folder / f"{part}.jsonl") for part in ("train", "valid", "test")},
            "model": "m",
            "arms": ARMS,
            "seeds": seeds,
            "curves": ["valid", "test"],
            "out": str(folder / "out"),
        }
        | keys
    )
    store, corpus = RunStore(folder / "out"), load_corpus(study)
    store.open_study(study)
    for size in study.sizes:
        for place, arm in enumerate(study.arms):
            for seed in study.seeds[: seeds if done is None else done]:
                record = _make_record(arm, size, seed, corpus, epochs, place, metrics).model_copy(
                    update={"parameters": Parameters(total=n_parameters, trainable=n_trainable)}
                )
                is_failed = record.key in failed
                _write_run(store, _fail(record) if is_failed else record, corpus, place)
    return folder / "out"


def _write_data(folder: Path, labels: Sequence[str], texts: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 60), ("valid", 20), ("test", N_TEST)):
        rows = [_make_row(part, i, labels, texts) for i in range(count)]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{part}.jsonl").write_text(lines, encoding="utf-8")


def _make_row(part: str, i: int, labels: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    end = f" {texts[i % len(texts)]}" if texts and part == "test" else ""
    return {"text": f"{part} text {i}{end}", "label": labels[i % len(labels)]}


def _draw_right(arm: str, size: Any, seed: int, place: int) -> np.ndarray:
    """Which test examples the run has right: most of the first arm's, fewer of the others'."""
    draws = np.random.default_rng([place, seed, len(str(size))])
    return draws.random(N_TEST) < 0.9 - 0.25 * place


def _make_record(
    arm: str, size: Any, seed: int, corpus: Corpus, epochs: int, place: int, metrics: Sequence[str]
) -> RunRecord:
    test = float(_draw_right(arm, size, seed, place).mean())
    other = (1 - SURE) / max(1, len(corpus.label_names) - 1)
    known = {"accuracy": test, "loss": -test * math.log(SURE) - (1 - test) * math.log(other)}
    scores = {metric: known[metric] for metric in metrics}
    points = tuple(_make_point(i, epochs, scores) for i in range(epochs))
    values = {"arm": arm, "size": size, "seed": seed, "status": "done"}
    values["train_examples"] = 60 if size == "all" else size
    return RunRecord.model_validate(
        values | {"valid": scores, "test": scores} | _describe_making(corpus)
    ).model_copy(update={"epochs": points, "best_epoch": epochs})


def _make_point(i: int, epochs: int, scores: Mapping[str, float]) -> EpochPoint:
    """Of a run that comes to its scores by even steps."""
    so_far = {metric: value * (i + 1) / epochs for metric, value in scores.items()}
    return EpochPoint(
        epoch=i + 1,
        step=8 * (i + 1),
        train_loss=0.7 / (i + 1),
        learning_rate=1e-4,
        valid=so_far,
        test=so_far,
        seconds=1.0,
    )


def _describe_making(corpus: Corpus) -> dict[str, Any]:
    made_with = {"headstart": "0.1.0", "python": "3.11", "torch": "2.13.0", "transformers": "5", "numpy": "2"}
    where = {
        "platform": "Linux",
        "processor": "x, 2 cores",
        "commit": None,
        "checkpoint_digest": "files-2:abc",
    }
    made = {**made_with, **where, "data_digest": corpus.digest, "started": "2026-01-01T00:00:00+00:00"}
    return {
        "seconds": 6.0,
        "peak_memory_bytes": 2**30,
        "execution": Execution(device="cpu", precision="fp32", threads=1, workers=1),
        "provenance": Provenance.model_validate(made),
    }


def _fail(record: RunRecord) -> RunRecord:
    return record.model_copy(update={"status": "failed", "test": None, "valid": None, "error": "loss nan"})


def _write_run(store: RunStore, record: RunRecord, corpus: Corpus, place: int) -> None:
    folder = store.get_run_folder(record.key)
    folder.mkdir(parents=True)
    if record.status == "done":
        names, labels = corpus.label_names, corpus.parts["test"].labels
        right = _draw_right(record.arm, record.size, record.seed, place)
        predicted = np.where(right, labels, (labels + 1) % len(names))
        outputs = np.where(np.eye(len(names))[predicted] > 0, SURE, (1 - SURE) / max(1, len(names) - 1))
        with open_predictions(folder / "predictions.parquet", ClassColumns(names)) as writer:
            writer.add(range(len(labels)), labels, outputs)
    store.write_record(record)
