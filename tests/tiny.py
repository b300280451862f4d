"""Tiny random models and token sets that tests share: no files, no downloads, float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, RobertaConfig

from headstart.config.expand import Run
from headstart.config.metrics import METRICS, Task
from headstart.config.study import Training
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.engine.train import Setting, Texts
from headstart.records import EpochPoint

torch.set_num_threads(1)  # products this small gain nothing from threads, and lose on a busy machine
VOCABULARY = 50
PAD = 1
_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": PAD,
}
_PROBLEMS = {
    "classification": "single_label_classification",
    "multi-label": "multi_label_classification",
    "regression": "regression",
}


def tiny_model(
    family: str = "bert", task: Task = "classification", seed: int = 0, dropout: float = 0.0
) -> Any:
    """A random classification model with 3 outputs (1 for regression), float64, training mode."""
    kind = {"bert": BertConfig, "roberta": RobertaConfig}[family]
    config = kind(
        **_SHAPE,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=1 if task == "regression" else 3,
        problem_type=_PROBLEMS[task],
    )
    torch.manual_seed(seed)
    return AutoModelForSequenceClassification.from_config(config).double().train()


def tiny_tokens(count: int, seed: int = 0) -> Tokens:
    """`count` random texts of 3 to 20 tokens."""
    draws = np.random.default_rng(seed)
    lengths = draws.integers(3, 20, count)
    ids = draws.integers(4, VOCABULARY, lengths.sum()).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]), None, 0)


def tiny_labels(count: int, task: Task, seed: int = 0) -> np.ndarray:
    """Random labels for `task`, as `Examples.labels`."""
    draws = np.random.default_rng(seed + 1)
    if task == "classification":
        return draws.integers(0, 3, count)
    if task == "multi-label":
        return (draws.random((count, 3)) < 0.4).astype(np.float32)
    return draws.normal(size=count).astype(np.float32)


def tiny_setting(
    task: Task = "classification", texts: int = 60, curves: tuple[Part, ...] = ("valid",)
) -> Setting:
    """A setting with `texts` training texts and 10 in each other part, on the CPU in float64."""
    sizes: dict[Part, int] = {"train": texts, "valid": 10, "test": 10}
    parts = {
        part: Texts(tiny_tokens(count, i), tiny_labels(count, task, i))
        for i, (part, count) in enumerate(sizes.items())
    }
    return Setting(
        task=task,
        classes=1 if task == "regression" else 3,
        pad_id=PAD,
        metric=METRICS[task][0],
        curves=curves,
        parts=parts,
        device=torch.device("cpu"),
        precision="fp64",
    )


def tiny_run(seed: int = 0, **training: Any) -> Run:
    """A run with the given training settings over batch size 6 and rate 1e-3."""
    settings = Training(**{"batch_size": 6, "learning_rate": 1e-3, **training})
    return Run("arm", "all", seed, "full", "tiny", True, settings)


class Listening:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.points: list[EpochPoint] = []
        self.best: list[EpochPoint] = []

    def step(self, run: Run, step: int, total: int, loss: float, rate: float) -> None:
        """Remember loss and rate."""
        self.losses.append(loss)
        self.rates.append(rate)

    def epoch(self, run: Run, point: EpochPoint, best: EpochPoint) -> None:
        """Remember the point, and which was best so far."""
        self.points.append(point)
        self.best.append(best)
