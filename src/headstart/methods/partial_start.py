"""Makes a model that takes a part of its checkpoint: all else is what a random arm of the seed draws."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.config.partial_start import PartialStart
from headstart.config.runs import Run
from headstart.errors import ModelError
from headstart.methods.corpus_embeddings import load_corpus_vectors
from headstart.methods.start_parts import find_table_name, list_kept_names
from headstart.models.checkpoints import Checkpoint
from headstart.models.initialise import copy_parameters, initialise_model
from headstart.prepared import PreparedRun
from headstart.seeds import make_generator


def check_start(run: Run, skeleton: Any) -> None:
    """See that the network has the parts that the run's start names.

    Args:
        skeleton: the run's network on the meta device.

    Raises:
        ModelError: it has not; names the arm.
    """
    if run.start is None:
        return
    try:
        if run.start.keep:
            list_kept_names(skeleton, run.start)
        if run.start.embeddings:
            find_table_name(skeleton)
    except ModelError as error:
        raise ModelError(
            f"{run.checkpoint}: {error.got}", where=f"arms.{run.arm}.init", expected=error.expected
        ) from error


def build_partial_model(prepared: PreparedRun, start: PartialStart) -> nn.Module:
    """The run's model before its method has touched it; float32 on the CPU, in training mode.

    What the checkpoint does not give is, to the bit, what a random arm has with the same seed.
    """
    checkpoint, seed = prepared.checkpoint, prepared.run.seed
    if start.embeddings is None:
        return take_parts(checkpoint, start, seed, prepared.missing_keys)
    drawn = initialise_model(checkpoint, pretrained=False, seed=seed)
    place_vectors(drawn, *load_corpus_vectors(prepared))
    return drawn


def take_parts(checkpoint: Checkpoint, start: PartialStart, seed: int, missing: Collection[str]) -> nn.Module:
    """The model of a random arm, with the parts of the checkpoint that `start` keeps or shuffles.

    Args:
        missing: names of the weights that the checkpoint lacks.
    """
    drawn = initialise_model(checkpoint, pretrained=False, seed=seed)
    taken = dict(initialise_model(checkpoint, pretrained=True, seed=seed).named_parameters())
    if start.keep:
        kept = list_kept_names(drawn, start)
        copy_parameters(drawn, {name: value for name, value in taken.items() if name in kept})
    else:
        there = taken.keys() - set(missing)
        copy_parameters(drawn, {name: _shuffle(name, taken[name], seed) for name in taken if name in there})
    return drawn


def _shuffle(name: str, value: torch.Tensor, seed: int) -> torch.Tensor:
    """A matrix with its entries in random order, by seed and name; a vector as it is."""
    if value.dim() < 2:
        return value
    entries = value.detach().numpy().ravel()
    shuffled = make_generator(seed, "shuffle", name).permutation(entries)
    return torch.from_numpy(shuffled).reshape(value.shape)


def place_vectors(model: nn.Module, ids: np.ndarray, vectors: np.ndarray) -> None:
    """Put the corpus's vectors [U, D] in the rows `ids` [U] of the word embeddings, in place.

    They are scaled so that their entries have the standard deviation of those that were drawn for these rows.
    Where vectors are narrower than the table, its other columns stay as they were drawn.
    """
    table = dict(model.named_parameters())[find_table_name(model)]
    rows, width = torch.from_numpy(ids), vectors.shape[1]
    with torch.no_grad():
        drawn = table[rows, :width]
        scale = float(drawn.std(correction=0)) / float(vectors.std() or 1.0)
        table[rows, :width] = torch.from_numpy(np.ascontiguousarray(vectors)) * scale
