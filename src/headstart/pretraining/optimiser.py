"""Makes a pretraining's optimiser over the flat weights of its model."""

from __future__ import annotations

from typing import Any

import torch

from headstart.config.pretraining import PretrainingSteps
from headstart.config.study import Training
from headstart.engine.optim.base import FixedOptimiser
from headstart.engine.optim.create import create_optimiser
from headstart.engine.optim.muon import MuonWithAdamW
from headstart.engine.weights import Weights


def make_optimiser(weights: Weights, model: Any, training: PretrainingSteps) -> FixedOptimiser:
    """AdamW as studies have it, or Muon for the matrices between embeddings and head."""
    settings = make_training(training)
    if training.optimiser == "adamw":
        return create_optimiser(weights, [settings])
    return MuonWithAdamW(weights, settings, list_matrices(model), training.momentum)


def make_training(training: PretrainingSteps) -> Training:
    """The settings as a study has them, as far as optimisers and trackers read them."""
    return Training(
        batch_size=training.batch_size,
        accumulation=training.accumulation,
        learning_rate=training.learning_rate,
        schedule="linear" if training.schedule == "wsd" else training.schedule,
        weight_decay=training.weight_decay,
        betas=training.betas,
        epsilon=training.epsilon,
        clip=training.clip,
        max_length=max(4, training.block),
        **({"steps": training.steps} if training.steps else {}),
    )


def list_matrices(model: Any) -> frozenset[str]:
    """The names of the matrices of a model's layers: not embeddings, nor what lies outside the body."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    prefix = f"{model.base_model_prefix}."
    return frozenset(
        name
        for name, p in model.named_parameters()
        if p.dim() == 2 and id(p) not in tables and name.startswith(prefix)
    )
