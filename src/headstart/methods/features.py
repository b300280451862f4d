"""Runs frozen encoders once over all examples and keeps their features in the cache.

Shapes: N examples in all, train before valid before test; D width.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from headstart import cuda
from headstart.config.study import Probe
from headstart.data.cache import open_entry
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.tokenise import Tokens
from headstart.device import choose_device
from headstart.engine.evaluate import iter_logits
from headstart.engine.finite_logits import check_outputs
from headstart.methods.base import build_base_model
from headstart.methods.linear_probe import FeatureExtractor
from headstart.prepared import PreparedRun

_FILE = "features.npy"


def load_features(prepared: PreparedRun, settings: Probe) -> np.ndarray:
    """The features [N, D], float32, of all examples: from the cache, or computed and put there.

    Raises:
        MachineError: they can be written nowhere.
    """

    @cache  # a cache that cannot be written is noticed when they are there
    def compute() -> np.ndarray:
        features = _encode(prepared, settings)
        # By the process that waits for the workers: what it keeps of its GPU they cannot have.
        cuda.release_memory()
        return features

    place = locate_features(prepared, settings)
    folder = open_entry(
        place.parent.name, place.name, lambda folder: np.save(folder / _FILE, compute()), place.parents[1]
    )
    loaded: np.ndarray = np.load(folder / _FILE, mmap_mode="r")
    return loaded


def _encode(prepared: PreparedRun, settings: Probe) -> np.ndarray:
    device = choose_device(prepared.study.study.device)
    model = build_base_model(prepared).requires_grad_(False).to(device)
    encoder, chunks = FeatureExtractor(model, settings.pooling), []
    for part in PARTS:
        windows = iter_logits(
            encoder,
            prepared.tokens[part],
            pad_id=prepared.checkpoint.tokenizer.pad_token_id,
            device=device,
            precision=prepared.precision,
        )
        for where, features in windows:
            check_outputs(features, f"the {part} part, those from {where.start + 1} to {where.stop}")
            chunks.append(features.float().numpy())
    return np.concatenate(chunks)


def locate_features(prepared: PreparedRun, settings: Probe) -> Path:
    """The folder where the features lie, by all that they depend on, in the cache that has their tokens."""
    run, checkpoint = prepared.run, prepared.checkpoint
    folders = [tokens.folder for tokens in prepared.tokens.values() if tokens.folder is not None]
    parts = (
        "features-2",
        checkpoint.digest,
        checkpoint.name,
        run.base,
        settings.pooling,
        prepared.precision,
        *(folder.name for folder in folders),
    )
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    return folders[0].parents[1] / "features" / digest


def index_rows(corpus: Corpus) -> dict[Part, Tokens]:
    """Each example as one token whose id is its row of the features."""
    rows: dict[Part, Tokens] = {}
    start = 0
    for part in PARTS:
        count = len(corpus.parts[part])
        ids = np.arange(start, start + count, dtype=np.int32)
        rows[part] = Tokens(ids, np.arange(count + 1), None, 0)
        start += count
    return rows
