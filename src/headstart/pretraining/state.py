"""A pretraining's state after a step, in one file: enough to go on to the same bits; trains nothing.

Order, masks and dropout are functions of seed and step, so there is no generator to save.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from headstart.engine.optim.base import FixedOptimiser
from headstart.engine.training_state import sum_tensor
from headstart.engine.weights import Weights
from headstart.errors import DamagedFileError
from headstart.files import write_file_atomically
from headstart.records import EpochPoint
from headstart.store.pretraining_folder import STATE_FILE
from headstart.store.state_sums import SUMS_KEY, check_sums, dump_sums

_POINTS = TypeAdapter(list[EpochPoint])


@dataclass
class Progress:
    """Where a pretraining stands: steps made, their losses, seconds of training, tokens, validations."""

    steps: int = 0
    tokens: int = 0
    targets: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    points: list[EpochPoint] = field(default_factory=list)


def save_state(
    folder: Path, identity: str, progress: Progress, weights: Weights, optimiser: FixedOptimiser
) -> None:
    """Write weights [P], moments and progress; the file there before stays until that is done."""
    tensors = {"weights": weights.values[0].contiguous()}
    tensors |= {f"moments.{name}": value.contiguous() for name, value in optimiser.export_moments(0).items()}
    known = {
        "identity": identity,
        "steps": str(progress.steps),
        "tokens": str(progress.tokens),
        "targets": str(progress.targets),
        "seconds": repr(progress.seconds),
        "losses": json.dumps(progress.losses),
        "points": _POINTS.dump_json(progress.points).decode(),
    }
    known[SUMS_KEY] = dump_sums({name: sum_tensor(value) for name, value in tensors.items()}, known)
    with write_file_atomically(folder / STATE_FILE) as temporary:
        save_file(tensors, temporary, metadata=known)


def load_state(folder: Path, identity: str, weights: Weights, optimiser: FixedOptimiser) -> Progress | None:
    """Go on from the state in the folder; None where there is none, and nothing is changed then.

    Raises:
        DamagedFileError: it is not what was written, or of another pretraining.
    """
    file = folder / STATE_FILE
    if not file.exists():
        return None
    try:
        check_sums(file)
        with safe_open(file, framework="pt") as state:
            known = state.metadata() or {}
            tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118 - no mapping
        progress = _parse(known)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise _refuse(file, "it is damaged") from error
    if known.get("identity") != identity or tensors["weights"].shape != weights.values[0].shape:
        raise _refuse(file, "it belongs to a pretraining with other text, model, settings or versions")
    weights.values[0] = tensors.pop("weights").to(weights.values.device)
    weights.refresh_narrow()
    optimiser.import_moments(0, {name.removeprefix("moments."): value for name, value in tensors.items()})
    return progress


def _refuse(file: Path, why: str) -> DamagedFileError:
    return DamagedFileError(
        f"cannot be resumed from: {why}",
        where=str(file),
        expected="the state that headstart wrote for this pretraining",
        fix="delete the file to train from the start, or name another folder: out=FOLDER",
    )


def _parse(known: dict[str, str]) -> Progress:
    return Progress(
        steps=int(known["steps"]),
        tokens=int(known["tokens"]),
        targets=int(known["targets"]),
        seconds=float(known["seconds"]),
        losses=[float(loss) for loss in json.loads(known["losses"])],
        points=_POINTS.validate_json(known["points"]),
    )
