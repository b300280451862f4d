"""Says how far training states are, and which cannot be resumed from; `engine.training_state` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headstart.json_text import parse_json
from headstart.store.layout import StudyLayout
from headstart.store.state_sums import check_sums

STATE_FILE: Final = "state.safetensors"


@dataclass(frozen=True)
class StateProgress:
    """How far a training state is: steps made, epochs ended, and steps made when the last of them did."""

    steps: int
    epochs: int
    epoch_steps: int


def read_state_progress(layout: StudyLayout, key: str) -> StateProgress | None:
    """How far the run's training state is; None where there is none, or it cannot be read."""
    file = layout.get_state_folder(key) / STATE_FILE
    if not file.is_file():
        return None
    from safetensors import SafetensorError, safe_open  # here: few folders hold a state

    try:
        with safe_open(file, framework="np") as opened:
            progress = opened.metadata() or {}
        points = parse_json(progress["points"].encode())
        assert isinstance(points, list)
        return StateProgress(int(progress["steps"]), len(points), points[-1]["step"] if points else 0)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


def describe_damaged_state(layout: StudyLayout, key: str) -> str | None:
    """A sentence where the run's training state is there and not whole; it then begins anew."""
    file = layout.get_state_folder(key) / STATE_FILE
    if not file.exists():
        return None
    from safetensors import SafetensorError, safe_open  # here: few folders hold a state

    try:
        with safe_open(file, framework="np") as opened:
            opened.keys()
        check_sums(file)
    except (OSError, SafetensorError, ValueError) as error:
        return f"run {key} restarts from the beginning:  {file}, its training state, cannot be read: {error}"
    return None
