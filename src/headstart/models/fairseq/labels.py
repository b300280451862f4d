"""Finds the names of a fairseq head's classes: the lines of a label dictionary, which is padded to 8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from headstart.data.fairseq.dictionary import read_dictionary
from headstart.errors import ModelError

#: Where label dictionaries lie: beside a copied checkpoint, or in the folder of binarised data.
_PLACES: Final = ("label_dict.txt", "dict.label.txt", "label/dict.txt")
_CLASSES: Final = "single_label_classification"
_REGRESSION: Final = "regression"


def find_label_file(folders: Sequence[Path], given: Path | None) -> Path | None:
    """The label dictionary that is `given`, or the first that lies in one of the folders; None: none does.

    Raises:
        ModelError: the one that is given is not there.
    """
    if given is not None:
        file = given / "dict.txt" if given.is_dir() else given
        if not file.is_file():
            raise ModelError(
                "no such label dictionary", where=str(given), expected="fairseq's label/dict.txt"
            )
        return file
    return next((folder / name for folder in folders for name in _PLACES if (folder / name).is_file()), None)


def read_labels(file: Path, classes: int) -> tuple[str, ...]:
    """The name of each class: class k is line k of the dictionary, whose padding names none.

    Raises:
        ModelError: it names more classes than the head has; DataError: it is no dictionary.
    """
    names = read_dictionary(file, with_mask=False).words
    if len(names) > classes:
        raise ModelError(
            f"{len(names)} labels for a head of {classes} classes",
            where=str(file),
            expected="the label dictionary that the head was trained with",
            fix="--labels FILE, with the label/dict.txt of its data",
        )
    return names + tuple(f"LABEL_{i}" for i in range(len(names), classes))


def describe_outputs(classes: int | None, names: tuple[str, ...]) -> dict[str, Any]:
    """What a configuration says of the outputs of a head for classification, or of a number."""
    if classes is None:
        return {}
    if classes == 1:
        return {"num_labels": 1, "problem_type": _REGRESSION}
    id2label = dict(enumerate(names))
    return {
        "num_labels": classes,
        "problem_type": _CLASSES,
        "id2label": id2label,
        "label2id": {name: i for i, name in id2label.items()},
    }
