"""Computes the vectors of a study's training tokens once and keeps them in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from headstart.data.cache import open_entry
from headstart.data.cooccurrence import WINDOW, compute_vectors
from headstart.errors import DataError
from headstart.events import Log
from headstart.models.vocabulary import get_input_embedding
from headstart.prepared import PreparedRun

_IDS, _VECTORS = "ids.npy", "vectors.npy"
#: Version of the files in the cache, and a part of their key.
_FORMAT: Final = "vectors-1"


def prepare_corpus_vectors(runs: Iterable[PreparedRun], log: Log) -> None:
    """Have the vectors of all runs that start from them in the cache before the first of them trains."""
    wanting = [prepared for prepared in runs if prepared.run.start and prepared.run.start.embeddings]
    for place, prepared in {_locate(prepared): prepared for prepared in wanting}.items():
        if not place.is_dir():
            texts = len(prepared.tokens["train"])
            log(f"computing word embeddings from {texts:,} training examples, without their labels")
        load_corpus_vectors(prepared)


def load_corpus_vectors(prepared: PreparedRun) -> tuple[np.ndarray, np.ndarray]:
    """Ids, ascending [U], and their vectors [U, D], of all training texts, whatever the run's size.

    Raises:
        DataError: no token of the texts has a vector.
        MachineError: they can be written nowhere.
    """

    def write(folder: Path) -> None:
        special = prepared.checkpoint.tokenizer.all_special_ids
        ids, vectors = compute_vectors(prepared.tokens["train"], special, _get_width(prepared))
        if not len(ids):
            raise DataError(
                "no two tokens of the training examples stand near each other more often than by chance",
                where=f"arms.{prepared.run.arm}.init",
                expected="texts of several words, or another start than {embeddings: svd}",
            )
        np.save(folder / _IDS, ids)
        np.save(folder / _VECTORS, vectors)

    place = _locate(prepared)
    folder = open_entry(place.parent.name, place.name, write, place.parents[1])
    return np.load(folder / _IDS), np.load(folder / _VECTORS)


def _locate(prepared: PreparedRun) -> Path:
    """The folder where they lie, by all that they depend on, in the cache that has the tokens."""
    tokens = prepared.tokens["train"].folder
    assert tokens is not None
    special = sorted(prepared.checkpoint.tokenizer.all_special_ids)
    parts = (_FORMAT, tokens.name, *map(str, (_get_width(prepared), WINDOW, special)))
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    return tokens.parents[1] / "vectors" / digest


def _get_width(prepared: PreparedRun) -> int:
    return int(get_input_embedding(prepared.checkpoint.build_skeleton()).embedding_dim)
