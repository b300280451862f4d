"""A member's training state at the end of an epoch, in one file: enough to resume in any pack.

Dropout masks and data order are functions of seed and step, so there is no generator to save. A file of
another run, of other data or of another layout is not taken.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from headstart.engine.member import Member
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.weights import Weights
from headstart.files import write_file_atomically
from headstart.records import EpochPoint

_FILE = "state.safetensors"
_POINTS = TypeAdapter(list[EpochPoint])


def save_training_state(
    folder: Path, identity: str, member: Member, weights: torch.Tensor, moments: Moments
) -> None:
    """Write the member's weights [P], its best ones and its moments; the file there before stays until then.

    Args:
        identity: all that the state depends on; only a run with the same one can resume from it.
    """
    tensors = {"weights": weights.contiguous()}
    if member.best_weights is not None:
        tensors["best"] = member.best_weights
    tensors |= {name: value.contiguous() for name, value in moments.items()}
    progress = {
        "identity": identity,
        "steps": str(member.steps),
        "passes": str(member.micro_batches),
        "seconds": str(member.seconds),
        "best": str(member.best.epoch if member.best else 0),
        "losses": json.dumps(member.losses),
        "points": _POINTS.dump_json(member.epochs).decode(),
    }
    with write_file_atomically(folder / _FILE) as temporary:
        save_file(tensors, temporary, metadata=progress)


def load_training_state(
    folder: Path, identity: str, member: Member, weights: Weights, r: int, optimiser: Optimiser
) -> bool:
    """Let member r resume from the state in `folder`; False where there is none of this run."""
    try:
        with safe_open(folder / _FILE, framework="pt") as file:
            progress = file.metadata() or {}
            if progress.get("identity") != identity:
                return False
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError):
        return False
    device = weights.values.device
    weights.values[r] = tensors.pop("weights").to(device)
    weights.refresh_narrow()
    best = tensors.pop("best", None)
    member.best_weights = None if best is None else best.to(device)
    optimiser.import_moments(r, tensors)  # what is left of the file's tensors
    _restore_progress(member, progress)
    return True


def _restore_progress(member: Member, progress: dict[str, str]) -> None:
    member.steps, member.micro_batches = int(progress["steps"]), int(progress["passes"])
    member.seconds = float(progress["seconds"])
    member.losses = json.loads(progress["losses"])
    member.epochs = _POINTS.validate_json(progress["points"])
    member.best = next((p for p in member.epochs if p.epoch == int(progress["best"])), None)
