"""What Headstart notes beside a saved model's weights, in `headstart.json`: written and read here alone.

The file travels with the model, so notes of older versions are read as well as they can be: version 1, which
has no `schema_version`, has the same keys, and a key that is not known, or not there, is passed over. Notes
of a newer version are refused: they may say something that this one would get wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ConfigDict

from headstart.errors import ModelError
from headstart.files import find_file_fault, write_text
from headstart.json_text import parse_json
from headstart.records import Record
from headstart.store.schema import describe_version

#: Its name in the folder of a saved model.
NOTES_FILE: Final = "headstart.json"
NOTES_VERSION: Final = 2


class ModelNotes(Record):
    """Which run a saved model is of, and what it takes to use it; None is what is not known.

    `run` is the run's key, chosen by its `valid` score of `metric`. `text` names the column or columns of
    texts, `max_length` the most tokens of a text that it was trained with. `base` is the checkpoint that it
    began with: a hub id, an asset, or a folder, whose path is noted where it is needed, of a probe, and else
    its name. `base_revision` is the commit of a hub's, `base_files` are the digests of the base's files, of
    an adapter or a probe, which is nothing without them. `label_cells` says what names of labels were in the
    data: text, int, float or bool.
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = NOTES_VERSION
    run: str | None = None
    metric: str | None = None
    valid: float | None = None
    text: str | tuple[str, str] | None = None
    max_length: int | None = None
    task: str | None = None
    method: str | None = None
    base: str | None = None
    base_revision: str | None = None
    base_files: dict[str, str] | None = None
    label_cells: str = "text"
    card: str | None = None

    @property
    def pinned_base(self) -> str | None:
        """The base by the name that is to be loaded: of a hub's id the very commit that was trained on."""
        return f"{self.base}@{self.base_revision}" if self.base and self.base_revision else self.base


def write_model_notes(folder: Path, notes: ModelNotes) -> None:
    """Write the notes into the folder of a saved model."""
    write_text(folder / NOTES_FILE, notes.model_dump_json(indent=1) + "\n")


def find_run_of_model(folder: Path) -> str | None:
    """The key of the run whose model lies in the folder; None where that is not known, or cannot be read."""
    try:
        return read_model_notes(folder).run
    except ModelError:
        return None


def read_model_notes(folder: Path) -> ModelNotes:
    """What is noted in the folder of a saved model; of a model made elsewhere nothing is known.

    Raises:
        ModelError: the notes cannot be read, or are of a newer version.
    """
    fault = find_file_fault(folder / NOTES_FILE)
    if fault is not None:
        raise ModelError(f"{NOTES_FILE} is {fault}", where=str(folder), fix="remove it")
    try:
        values = parse_json((folder / NOTES_FILE).read_bytes())
        version = int(values.get("schema_version", 1))
        # Before the rest is judged: what a newer version changed may look like damage to this one.
        if version <= NOTES_VERSION:
            return ModelNotes.model_validate(values | {"schema_version": version})
    except FileNotFoundError:
        return ModelNotes()
    except (OSError, ValueError, TypeError, AttributeError) as error:  # of pydantic's too: a ValueError
        raise ModelError(f"{NOTES_FILE} cannot be read", where=str(folder), fix="delete it") from error
    raise ModelError(
        f"{NOTES_FILE} is {describe_version(version, NOTES_VERSION)}",
        where=str(folder),
        expected=f"schema version {NOTES_VERSION} or older",
        fix="update headstart",
    )
