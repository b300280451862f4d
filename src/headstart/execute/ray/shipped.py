"""A prepared study on its way to nodes: small, and without paths that only this machine knows."""

from __future__ import annotations

import socket
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from headstart.errors import ModelError
from headstart.execute.ray.calls import Shared
from headstart.models.checkpoints import Checkpoint, resolve_location
from headstart.prepared import PreparedStudy, TokensKey
from headstart.records import CheckpointDigest
from headstart.training.prepare import tokenise_here

#: Studies that a process keeps made ready: a later pack of the same one begins at once.
_MOST_KEPT: Final = 2
_READY: Final = OrderedDict[str, PreparedStudy]()


@dataclass(frozen=True)
class ShippedStudy:
    """A prepared study without its tokens, what it is tokenised for, and each checkpoint's digest.

    Tokens are made again where it arrives, in the node's own cache; texts, tokenizers and configurations
    come along. Weights do not: a checkpoint's folder must be seen from the node.
    """

    prepared: PreparedStudy
    keys: tuple[TokensKey, ...]
    sources: dict[str, CheckpointDigest]


def ship_study(prepared: PreparedStudy, device: Literal["cpu", "auto"]) -> ShippedStudy:
    """The study for nodes, which train on `device`."""
    sources = {name: checkpoint.source for name, checkpoint in prepared.checkpoints.items()}
    out = str(Path(prepared.study.out).absolute())
    study = prepared.study.model_copy(update={"out": out, "device": device})
    checkpoints = {name: _make_absolute(one) for name, one in prepared.checkpoints.items()}
    small = replace(prepared, study=study, tokens={}, checkpoints=checkpoints)
    return ShippedStudy(small, tuple(prepared.tokens), sources)


def _make_absolute(checkpoint: Checkpoint) -> Checkpoint:
    """Made anew, and so without its digest, which each node computes of the files that it has itself."""
    folder = Path(checkpoint.location)
    return replace(checkpoint, location=str(folder.absolute())) if folder.is_dir() else replace(checkpoint)


def unship_study(name: str, content: Shared) -> PreparedStudy:
    """The study of that name made ready in this process; once, whatever it is asked for.

    Raises:
        ModelError: a checkpoint is not here, or another than where the study was prepared.
        LostTaskError: the study went with the node that held it.
    """
    if name not in _READY:
        shipped: ShippedStudy = content.take()
        prepared, sources = shipped.prepared, shipped.sources
        found = {key: _find_here(one, sources[key]) for key, one in prepared.checkpoints.items()}
        _READY[name] = tokenise_here(replace(prepared, checkpoints=found), shipped.keys)
        while len(_READY) > _MOST_KEPT:
            _READY.popitem(last=False)
    return _READY[name]


def _find_here(checkpoint: Checkpoint, source: CheckpointDigest) -> Checkpoint:
    """The checkpoint where this machine has it."""
    if _is_missing(checkpoint.location):
        checkpoint = replace(checkpoint, location=_look_up(checkpoint))
    if checkpoint.digest != source.digest:
        raise ModelError(
            "the checkpoint differs from the one that the study was started with",
            where=f"{checkpoint.name} on node {socket.gethostname()}",
            expected=f"the digest {source.digest}",
            fix="copy the same files to all nodes, or use a folder that all of them share",
        )
    return checkpoint


def _look_up(checkpoint: Checkpoint) -> str:
    """Where a checkpoint is that lay in the other machine's cache: an asset, or a revision of a hub."""
    location = resolve_location(checkpoint.name)
    if _is_missing(location) or location == checkpoint.name:
        raise ModelError(
            f"{checkpoint.location} is not there",
            where=f"checkpoint {checkpoint.name} on node {socket.gethostname()}",
            fix="use a folder that all nodes share, the same path on each, or a model of the hub",
        )
    return location


def _is_missing(location: str) -> bool:
    """Whether it is a folder's path, and the folder is not here."""
    return Path(location).is_absolute() and not Path(location).is_dir()
