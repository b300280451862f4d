"""A member's training state after a step, in one file: enough to resume in any pack.

Dropout masks and data order are functions of seed and step, so there is no generator to save. A file of
another run, of other data or of another layout is not taken.

Members of a pack resume as they were together, so that their bits are those of a pack that nobody stopped: a
file says of which moment it is, its `turn`, and who else was there. The file before stays beside it until
all of them have one of the new turn.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
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

_FILE, _FORMER = "state.safetensors", "former.safetensors"
_POINTS = TypeAdapter(list[EpochPoint])


@dataclass(frozen=True)
class StateMark:
    """When a state was saved and with whose: `turn` is the most steps that a member of its pack had made,
    `together` the keys of the members of which there are states of that turn, sorted. Who `has_ended` has
    the same state at each later turn."""

    turn: int
    together: tuple[str, ...]
    has_ended: bool = False


def save_training_state(
    folder: Path, identity: str, member: Member, weights: torch.Tensor, moments: Moments, mark: StateMark
) -> None:
    """Write the member's weights [P], its best ones and its moments; the file there before stays until then.

    It stays longer, as the former one, where others have states of the same turn: `forget_former` ends that.

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
        "mark": json.dumps(asdict(mark)),
    }
    if len(mark.together) > 1 and (folder / _FILE).exists():
        (folder / _FILE).replace(folder / _FORMER)
    with write_file_atomically(folder / _FILE) as temporary:
        save_file(tensors, temporary, metadata=progress)


def forget_former(folder: Path) -> None:
    """Remove the state before the last one, if there is one."""
    (folder / _FORMER).unlink(missing_ok=True)


def find_states(folder: Path, identity: str) -> dict[Path, StateMark]:
    """The files that a run with this identity can resume from, the last one first."""
    marks = {file: _read_mark(file, identity) for file in (folder / _FILE, folder / _FORMER)}
    return {file: mark for file, mark in marks.items() if mark is not None}


def _read_mark(file: Path, identity: str) -> StateMark | None:
    try:
        with safe_open(file, framework="pt") as state:
            progress = state.metadata() or {}
        if progress.get("identity") != identity:
            return None
        values = json.loads(progress["mark"])
        return StateMark(values["turn"], tuple(values["together"]), values["has_ended"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def load_training_state(file: Path, member: Member, weights: Weights, r: int, optimiser: Optimiser) -> None:
    """Let member r resume from the state in `file`."""
    with safe_open(file, framework="pt") as state:
        progress = state.metadata()
        tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 - no mapping
    device = weights.values.device
    weights.values[r] = tensors.pop("weights").to(device)
    weights.refresh_narrow()
    best = tensors.pop("best", None)
    member.best_weights = None if best is None else best.to(device)
    optimiser.import_moments(r, tensors)  # what is left of the file's tensors
    _restore_progress(member, progress)


def _restore_progress(member: Member, progress: dict[str, str]) -> None:
    member.steps, member.micro_batches = int(progress["steps"]), int(progress["passes"])
    member.seconds = float(progress["seconds"])
    member.losses = json.loads(progress["losses"])
    member.epochs = _POINTS.validate_json(progress["points"])
    member.best = next((p for p in member.epochs if p.epoch == int(progress["best"])), None)
