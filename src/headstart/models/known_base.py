"""Sees that the base of a saved adapter or probe is the one that it was trained on, by its noted digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headstart.errors import ModelError
from headstart.models.digests import digest_files
from headstart.store.model_notes import NOTES_FILE
from headstart.wording import format_names

#: Changed files that a message names.
_SHOWN: Final = 3


def check_same_base(noted: Mapping[str, str] | None, location: str, folder: Path) -> None:
    """See that the files of a base at `location` are those of which `noted` has the digests.

    A base on the hub is the folder of its commit in the hub's cache; of one that an earlier version used none
    are noted. A file that was added decides nothing unless it takes the place of one that is noted.

    Args:
        noted: digests by name, as `digest_files` gives them; None where nothing is known.
        folder: of the adapter or probe.

    Raises:
        ModelError: some have changed, so that it would compute something else than what was tested.
    """
    if not noted or not Path(location).is_dir():
        return
    now = digest_files(Path(location))
    changed = [name for name in sorted(noted) if now.get(name) != noted[name]]
    if changed:
        have = "has" if len(changed) == 1 else "have"
        raise ModelError(
            f"its base model {location} is not the one it was trained on: "
            f"{format_names(changed, _SHOWN)} {have} changed since",
            where=str(folder),
            expected=f"the files of which {NOTES_FILE} has the digests",
            fix="put them back, or train again on the new ones",
        )
