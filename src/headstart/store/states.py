"""Says which training states cannot be resumed from; `engine.training_state` writes and reads them."""

from __future__ import annotations

from typing import Final

from headstart.store.layout import StudyLayout
from headstart.store.state_sums import check_sums

STATE_FILE: Final = "state.safetensors"


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
        return f"run {key} begins anew: {file}, its training state, cannot be read: {error}"
    return None
