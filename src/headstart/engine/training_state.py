"""A member's training state after a step, in one file: enough to resume in any pack.

Dropout masks and data order are functions of seed and step, so there is no generator to save. A file of
another run, of other data or of another layout is not taken.

Members of a pack resume as they were together, so that their bits are those of a pack that nobody stopped: a
file says of which moment it is, its `turn`, and who else was there. The file before stays beside it until
all of them have one of the new turn.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from headstart.engine.member import Member
from headstart.engine.optim.base import Moments, Optimiser
from headstart.engine.weights import Weights
from headstart.files import write_file_atomically
from headstart.records import EpochPoint
from headstart.store.state_sums import SUMS_KEY, check_sums, dump_sums
from headstart.store.states import STATE_FILE

_FORMER = "former.safetensors"
_POINTS = TypeAdapter(list[EpochPoint])


@dataclass(frozen=True)
class StateMark:
    """When a state was saved and with whose: `turn` is the most steps that a member of its pack had made,
    `together` the keys of the members of which there are states of that turn, sorted. Who `has_ended` has
    the same state at each later turn."""

    turn: int
    together: tuple[str, ...]
    has_ended: bool = False


_MARK = TypeAdapter(StateMark)


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
    progress[SUMS_KEY] = dump_sums({name: sum_tensor(value) for name, value in tensors.items()}, progress)
    if len(mark.together) > 1 and (folder / STATE_FILE).exists():
        (folder / STATE_FILE).replace(folder / _FORMER)
    with write_file_atomically(folder / STATE_FILE) as temporary:
        save_file(tensors, temporary, metadata=progress)


def forget_former(folder: Path) -> None:
    """Remove the state before the last one, if there is one."""
    (folder / _FORMER).unlink(missing_ok=True)


def find_states(folder: Path, identity: str) -> dict[Path, StateMark]:
    """The files that a run with this identity can resume from, the last one first."""
    marks = {file: _read_mark(file, identity) for file in (folder / STATE_FILE, folder / _FORMER)}
    return {file: mark for file, mark in marks.items() if mark is not None}


def _read_mark(file: Path, identity: str) -> StateMark | None:
    try:
        with safe_open(file, framework="pt") as state:
            progress = state.metadata() or {}
        if progress.get("identity") != identity:
            return None
        check_sums(file)
        return _MARK.validate_json(progress["mark"])
    except (OSError, SafetensorError, KeyError, ValueError):  # JSON's and pydantic's errors are ValueErrors
        return None


def sum_tensor(value: torch.Tensor) -> int:
    """CRC-32 of a tensor's bytes."""
    return zlib.crc32(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def load_training_state(file: Path, member: Member, weights: Weights, r: int, optimiser: Optimiser) -> bool:
    """Let member r resume from the state in `file`; False where it is not whole: nothing is changed then."""
    state = _read_state(file)
    if state is None or not _fits(state, weights):
        return False
    tensors = state.tensors
    weights.import_row(r, tensors.pop("weights"))
    best = tensors.pop("best", None)
    member.best_weights = None if best is None else weights.take_own(best)
    optimiser.import_moments(r, tensors)  # what is left of the file's tensors
    for name, value in state.progress.items():
        setattr(member, name, value)
    return True


@dataclass(frozen=True)
class _State:
    """What a file holds: tensors by name, and what is known of a member by its attributes' names."""

    tensors: dict[str, torch.Tensor]
    progress: dict[str, Any]


def _read_state(path: Path) -> _State | None:
    """The state of the file; None where there is none, or it is not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            progress = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        return _State(tensors, _parse_progress(progress))
    except (OSError, SafetensorError, KeyError, ValueError):  # JSON's and pydantic's errors are ValueErrors
        return None


def _parse_progress(progress: dict[str, str]) -> dict[str, Any]:
    epochs, best = _POINTS.validate_json(progress["points"]), int(progress["best"])
    return {
        "steps": int(progress["steps"]),
        "micro_batches": int(progress["passes"]),
        "seconds": float(progress["seconds"]),
        "losses": [float(loss) for loss in json.loads(progress["losses"])],
        "epochs": epochs,
        "best": next((point for point in epochs if point.epoch == best), None),
    }


def _fits(state: _State, weights: Weights) -> bool:
    """Whether the weights [P], and the best ones where they are kept, are as many as the member's."""
    learnt, best = state.tensors.get("weights"), state.tensors.get("best")
    shape = (weights.length,)
    return learnt is not None and learnt.shape == shape and (best is None or best.shape == shape)
