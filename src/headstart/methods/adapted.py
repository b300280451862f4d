"""Finds adapted weights in a study's folder by what they are a function of, and builds models of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file
from torch import nn

from headstart.data.text_corpus import TextCorpus
from headstart.errors import ModelError
from headstart.files import hash_file
from headstart.models.initialise import copy_parameters, initialise_model
from headstart.prepared import PreparedRun
from headstart.store.adapted import RECORD
from headstart.store.layout import StudyLayout

WEIGHTS: Final = "model.safetensors"
#: Version of what is kept, and a part of its identity.
_FORMAT: Final = "adapted-1"


def find_unadapted(runs: Iterable[PreparedRun]) -> dict[Path, PreparedRun]:
    """A run for each adaptation that is to be made, by the folder of its weights."""
    wanting = {locate_adapted(prepared): prepared for prepared in runs if prepared.run.adapted}
    return {folder: prepared for folder, prepared in wanting.items() if not _is_whole(folder, prepared)}


def locate_adapted(prepared: PreparedRun) -> Path:
    """The folder of the run's adapted weights: one for a checkpoint and a seed."""
    name = hashlib.sha256(prepared.run.checkpoint.encode()).hexdigest()[:8]
    return StudyLayout(Path(prepared.study.study.out)).adapted_folder / f"seed-{prepared.run.seed}-{name}"


def build_adapted_model(prepared: PreparedRun) -> nn.Module:
    """The pretrained arm's model of the same seed, with the body that was adapted.

    Raises:
        ModelError: the adapted weights are damaged, or not there.
    """
    folder = locate_adapted(prepared)
    if not _is_whole(folder, prepared):
        raise ModelError(
            "the adapted weights are not there, or damaged", where=str(folder), fix="run the study again"
        )
    model = initialise_model(prepared.checkpoint, pretrained=True, seed=prepared.run.seed)
    body: Any = model if prepared.checkpoint.is_causal else model.base_model
    copy_parameters(body, load_file(folder / WEIGHTS))
    return model


def identify_adapted(prepared: PreparedRun) -> str:
    """The digest of all that the adapted weights are a function of, but for rounding."""
    study = prepared.study.study
    parts = (
        _FORMAT,
        prepared.checkpoint.digest,
        prepared.study.corpus.digest,
        # Without what is not set: weights of before `steps` was a key are the same.
        study.adapt.model_dump_json(exclude_none=True),
        *(TextCorpus((Path(path),)).digest for path in study.adapt.text),
        str(prepared.run.seed),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _is_whole(folder: Path, prepared: PreparedRun) -> bool:
    """Whether the folder has the run's adapted weights, by their digests."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return bool(
            record["identity"] == identify_adapted(prepared)
            and record["sha256"] == hash_file(folder / WEIGHTS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
