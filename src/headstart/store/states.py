"""Says how far training states are, and which cannot be resumed from; `engine.training_state` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from headstart.json_text import parse_json
from headstart.records import RunRecord, StudyWarning
from headstart.store.layout import StudyLayout
from headstart.store.state_sums import check_sums
from headstart.wording import format_names

STATE_FILE: Final = "state.safetensors"
#: The kind of a record's warning that a whole training state was there, and the run began anew.
STATE_NOT_USED: Final = "state-not-used"
#: What becomes of the state that lay there, and why.
_UNUSED: Final = (
    "the saved training state is from other data, settings or versions, or the runs packed with it have none"
)


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


def warn_of_unused_state(key: str) -> StudyWarning:
    """What the record says of a run that began anew beside a whole training state."""
    return StudyWarning(kind=STATE_NOT_USED, message=f"run {key} restarted from the beginning: {_UNUSED}")


def describe_unused_states(records: Iterable[RunRecord]) -> str | None:
    """One sentence for all runs that began anew beside a whole training state; None where none did."""
    keys = [record.key for record in records if any(one.kind == STATE_NOT_USED for one in record.warnings)]
    runs = "run" if len(keys) == 1 else "runs"
    return f"{runs} {format_names(keys)} restarted from the beginning: {_UNUSED}" if keys else None
