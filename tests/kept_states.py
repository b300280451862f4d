"""Training states as tests keep and take them: of one run, after an epoch of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from headstart.engine.member import Member
from headstart.engine.optim.base import Optimiser
from headstart.engine.pack_rows import TrainingState
from headstart.engine.pack_trainer import SaveTrainingStates
from headstart.engine.training_state import StateMark, find_states, load_training_state, save_training_state
from headstart.engine.weights import Weights


def save_after(epoch: int, folder: Path) -> SaveTrainingStates:
    """Keeps the state of a run as it is after `epoch`, as the one named `it`."""

    def save(going: Sequence[Member], states: Iterator[TrainingState]) -> None:
        for member, row, moments in states:
            if len(member.epochs) == epoch:
                save_training_state(folder, "it", member, row, moments, StateMark(member.steps, ("it",)))

    return save


def load_last(
    folder: Path, identity: str, member: Member, weights: Weights, r: int, optimiser: Optimiser
) -> bool:
    """Whether member r resumes from what `folder` holds of the run with this identity."""
    files = find_states(folder, identity)
    return any(load_training_state(file, member, weights, r, optimiser) for file in files)
