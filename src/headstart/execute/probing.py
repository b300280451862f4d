"""Runs frozen encoders once over all texts, keeps their features in the cache, and makes probes of them.

Shapes: N texts in all, train before valid before test; D width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from headstart.config.expand import Run
from headstart.data.assets import Announce
from headstart.data.cache import cache_folder, forget_oldest
from headstart.data.corpus import PARTS, Part
from headstart.data.splits import subset
from headstart.data.tokenise import Tokens
from headstart.engine.device import choose_device
from headstart.engine.evaluate import window_logits
from headstart.execute.prepare import Prepared
from headstart.files import write_file_atomically
from headstart.models.initialise import initialise
from headstart.tuning.probe import Pooled, Probe


def encode_for_probes(runs: Iterable[Run], prepared: Prepared, announce: Announce) -> None:
    """Have the features of all probe runs in the cache before the first of them trains."""
    waiting = {str(file): run for run in runs if run.probe and not (file := _file(run, prepared)).is_file()}
    if waiting:
        texts = sum(len(part) for part in prepared.corpus.parts.values())
        passes = "" if len(waiting) == 1 else f" with each of {len(waiting)} encoders"
        announce(f"encoding {texts} texts once{passes}, for the probes")
    for run in waiting.values():
        features(run, prepared)


def features(run: Run, prepared: Prepared) -> np.ndarray:
    """The features [N, D], float32, of all texts: from the cache, or computed and put there."""
    file = _file(run, prepared)
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        forget_oldest(file.parent)
        found = _encode(run, prepared)
        with write_file_atomically(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, found)
    loaded: np.ndarray = np.load(file, mmap_mode="r")
    return loaded


def _encode(run: Run, prepared: Prepared) -> np.ndarray:
    assert run.probe is not None
    checkpoint, device = prepared.checkpoints[run.checkpoint], choose_device(prepared.study.device)
    model = initialise(checkpoint, pretrained=run.pretrained, seed=run.seed).requires_grad_(False).to(device)
    encoder, found = Pooled(model, run.probe.pooling), []
    for part in PARTS:
        windows = window_logits(
            encoder,
            prepared.tokens_of(run)[part],
            pad_id=checkpoint.tokenizer.pad_token_id,
            device=device,
            precision=prepared.precision_of(run),
        )
        found += [features.float().numpy() for _, features in windows]
    return np.concatenate(found)


def _file(run: Run, prepared: Prepared) -> Path:
    """Where the features lie, by all that they depend on."""
    assert run.probe is not None
    checkpoint = prepared.checkpoints[run.checkpoint]
    parts = (
        "features-1",
        checkpoint.digest,
        checkpoint.name,
        "pretrained" if run.pretrained else f"random, seed {run.seed}",
        run.probe.pooling,
        prepared.precision_of(run),
        *(str(tokens.folder) for tokens in prepared.tokens_of(run).values()),
    )
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    return cache_folder() / "features" / f"{digest}.npy"


def row_tokens(prepared: Prepared) -> dict[Part, Tokens]:
    """Each text as one token whose id is its row of the features."""
    found: dict[Part, Tokens] = {}
    start = 0
    for part in PARTS:
        count = len(prepared.corpus.parts[part])
        ids = np.arange(start, start + count, dtype=np.int32)
        found[part] = Tokens(ids, np.arange(count + 1), None, 0)
        start += count
    return found


def probe(run: Run, prepared: Prepared) -> Probe:
    """The run's probe before its first step."""
    table = torch.from_numpy(np.array(features(run, prepared)))
    rows = torch.from_numpy(subset(prepared.corpus.parts["train"], run.size, run.seed))
    return Probe(table, rows, prepared.corpus.outputs)
