"""Test figures computed anew are those that the engine counted; any other is found. torch is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.config.traits import TaskName, get_task_traits
from headstart.engine.answers import score_answers
from headstart.engine.generate import Answer
from headstart.engine.metrics import compute_token_scores
from headstart.store.answer_columns import make_answer_columns
from headstart.store.prediction_tables import Predictions
from headstart.store.prediction_writer import make_example_columns, open_predictions, write_table
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE, read_predictions
from headstart.store.recomputed import find_difference
from headstart.tasks import load_task
from headstart.tasks.columns import make_columns
from headstart.tasks.labelled import LabelledTask

TEXTS = 500
LABELLED: tuple[TaskName, ...] = ("classification", "multi-label", "regression")


def write_labelled(folder: Path, task: TaskName, scale: float, dtype: torch.dtype) -> dict[str, float]:
    """Predictions of logits that large, in that format; gives the figures that the engine counts."""
    draws = torch.Generator().manual_seed(3)
    logits = (scale * torch.randn(TEXTS, 1 if task == "regression" else 4, generator=draws)).to(dtype)
    labels: torch.Tensor = torch.randint(4, (TEXTS,), generator=draws)
    if task == "multi-label":
        labels = torch.randint(2, (TEXTS, 4), generator=draws).float()
    if task == "regression":
        labels = logits[:, 0].float() + torch.randn(TEXTS, generator=draws)
    implementation = load_task(task)
    assert isinstance(implementation, LabelledTask)
    meter = implementation.make_meter(4)
    names = () if task == "regression" else ("a", "b", "c", "d")
    with open_predictions(
        folder / PREDICTIONS_FILE, make_columns(get_task_traits(task).labels, names)
    ) as out:
        for i in range(0, TEXTS, 64):
            part = slice(i, min(i + 64, TEXTS))
            meter.add(logits[part], labels[part])
            outputs = implementation.compute_probabilities(logits[part]).numpy()
            out.add(range(part.start, part.stop), labels[part].numpy(), outputs)
    return meter.compute_scores()


def read(folder: Path, metric: str = "accuracy") -> Predictions:
    predictions = read_predictions(folder, metric)
    assert predictions is not None
    return predictions


@pytest.mark.parametrize("task", LABELLED)
@pytest.mark.parametrize("scale", [0.1, 3.0, 60.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_what_the_engine_counted_is_no_difference(
    tmp_path: Path, task: TaskName, scale: float, dtype: torch.dtype
) -> None:
    """At 60 probabilities round to 0 and 1, and a loss is only known from below."""
    scores = write_labelled(tmp_path, task, scale, dtype)
    assert find_difference(scores, read(tmp_path)) is None


@pytest.mark.parametrize("task", LABELLED)
def test_each_figure_that_was_changed_is_found(tmp_path: Path, task: TaskName) -> None:
    scores = write_labelled(tmp_path, task, 3.0, torch.float32)
    for name, value in scores.items():
        for other in (value + 0.002, value - 0.002, 7.0, float("nan")):
            if name == "loss" and np.isnan(other):
                continue  # what a model lost may have no number where its classes have one
            difference = find_difference(scores | {name: other}, read(tmp_path))
            assert difference is not None
            assert difference.startswith(f"{name} is {other:g} in the record, and ")


def test_figures_of_tokens_and_answers_are_computed_anew(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    counts, sums = draws.integers(1, 9, 30), draws.random((30, 2))
    sums[:, 1] = np.minimum(counts, 2)
    columns: dict[str, Any] = {"tokens": counts, "loss": sums[:, 0], "right": sums[:, 1].astype(int)}
    write_table(tmp_path / TOKENS_FILE, make_example_columns(range(30), None) | columns)
    texts, expected = [f"answer {i % 7}" for i in range(30)], [f"answer {i % 5}." for i in range(30)]
    answers = [Answer(text, i % 3 > 0) for i, text in enumerate(texts)]
    columns = make_answer_columns(
        earlier=[""] * 30,
        prompts=texts,
        references=expected,
        answers=texts,
        stopped=[answer.stopped for answer in answers],
    )
    write_table(tmp_path / PREDICTIONS_FILE, make_example_columns(range(30), None) | columns)
    scores = compute_token_scores(sums, counts) | score_answers(answers, expected)
    assert len(scores) == 7
    files = [read(tmp_path, metric) for metric in ("loss", "exact_match")]
    assert [find_difference(scores, predictions) for predictions in files] == [None, None]
    for name in scores:
        changed = scores | {name: scores[name] + 0.001}
        found = [find_difference(changed, predictions) for predictions in files]
        assert [difference is not None for difference in found].count(True) == 1


def test_a_perplexity_without_a_number_is_none_both_times(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "tokens": np.ones(3, int),
        "loss": np.full(3, 900.0),
        "right": np.zeros(3, int),
    }
    write_table(tmp_path / TOKENS_FILE, make_example_columns(range(3), None) | columns)
    scores = {"loss": 900.0, "perplexity": float("inf"), "token_accuracy": 0.0}
    assert find_difference(scores, read(tmp_path, "loss")) is None
    assert find_difference(scores | {"perplexity": 5.0}, read(tmp_path, "loss")) is not None


def test_figures_without_an_example_are_found(tmp_path: Path) -> None:
    with open_predictions(tmp_path / PREDICTIONS_FILE, make_columns("class", ("a", "b"))):
        pass
    assert find_difference({"accuracy": 0.5}, read(tmp_path)) is not None
