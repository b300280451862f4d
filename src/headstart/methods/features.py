"""Runs frozen encoders once over all examples and keeps their features in the cache.

Shapes: N examples in all, train before valid before test; D width.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from headstart import cuda
from headstart.config.study import Probe
from headstart.data.cache import get_cache_folder, remove_oldest
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.tokenise import Tokens
from headstart.device import choose_device
from headstart.engine.evaluate import iter_logits
from headstart.engine.finite_logits import check_outputs
from headstart.files import write_file_atomically
from headstart.methods.base import build_base_model
from headstart.methods.linear_probe import FeatureExtractor
from headstart.prepared import PreparedRun


def load_features(prepared: PreparedRun, settings: Probe) -> np.ndarray:
    """The features [N, D], float32, of all examples: from the cache, or computed and put there."""
    file = locate_features(prepared, settings)
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_oldest(file.parent)
        features = _encode(prepared, settings)
        # By the process that waits for the workers: what it keeps of its GPU they cannot have.
        cuda.release_memory()
        with write_file_atomically(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, features)
    loaded: np.ndarray = np.load(file, mmap_mode="r")
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
    """Where the features lie, by all that they depend on."""
    run, checkpoint = prepared.run, prepared.checkpoint
    parts = (
        "features-1",
        checkpoint.digest,
        checkpoint.name,
        "pretrained" if run.pretrained else f"random, seed {run.seed}",
        settings.pooling,
        prepared.precision,
        *(str(tokens.folder) for tokens in prepared.tokens.values()),
    )
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    return get_cache_folder() / "features" / f"{digest}.npy"


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
