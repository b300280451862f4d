"""Finds a fairseq checkpoint's file, and what lies beside it: its dictionary, its tokenizer's files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from headstart.errors import ModelError
from headstart.files import find_file_fault
from headstart.os_faults import check_lookup
from headstart.wording import format_names

_SHARD: Final = re.compile(r"-shard\d+\.pt$|-rank-\d+(-shard\d+)?\.pt$|-model_part-\d+")
_DICTIONARIES: Final = ("dict.txt", "input0/dict.txt")
#: Names that a tokenizer's files have, of whatever kind.
_TOKENIZERS: Final = ("*.model", "encoder.json", "vocab.json", "*codes*")


def find_checkpoint(path: Path) -> Path:
    """The file at `path`, or the only checkpoint in the folder there.

    Raises:
        ModelError: nothing is there, there are several, or it is a part of one.
    """
    check_lookup(path)
    if path.is_dir():
        path = _find_in_folder(path)
    if _SHARD.search(path.name):
        raise ModelError(
            f"{path.name} is one part of a checkpoint that was saved in shards",
            where=str(path.parent),
            expected="a whole checkpoint",
            fix="join them with fairseq's scripts/consolidate_fsdp_shards.py, and name the file it writes",
        )
    fault = find_file_fault(path)
    if fault is not None or not path.is_file():
        raise ModelError(
            fault or "no such file",
            where=str(path),
            expected="a fairseq checkpoint such as model.pt or checkpoint_best.pt, or a folder with one",
        )
    return path


def _find_in_folder(folder: Path) -> Path:
    found = sorted(file for file in folder.glob("*.pt") if not file.is_dir())
    whole = [file for file in found if not _SHARD.search(file.name)]
    if len(whole) == 1 or (not whole and found):
        return (whole or found)[0]
    names = format_names([file.name for file in whole], 6)
    raise ModelError(
        f"several checkpoints: {names}" if whole else "no checkpoint (*.pt) in it",
        where=str(folder),
        expected="one fairseq checkpoint such as model.pt or checkpoint_best.pt",
        fix="name the file itself" if whole else None,
    )


def find_dictionary(folders: Sequence[Path], checkpoint: Path) -> Path:
    """The first dictionary in the folders: beside the checkpoint, or in that of binarised data.

    Raises:
        ModelError: there is none.
    """
    places = [folder / name for folder in folders for name in _DICTIONARIES]
    found = next((file for file in places if file.is_file()), None)
    if found is None:
        raise ModelError(
            "no dict.txt beside it, fairseq's dictionary, without which no id has a meaning",
            where=str(checkpoint),
            expected=f"dict.txt in {format_names([str(folder) for folder in folders])}",
            fix="--data DIR, with the folder of its binarised data; or copy dict.txt beside the checkpoint",
        )
    return found


def find_tokenizer_folder(folders: Sequence[Path]) -> Path:
    """The first of the folders that has a tokenizer's files; else the first, whose lack is told elsewhere."""
    having = (folder for folder in folders if any(any(folder.glob(name)) for name in _TOKENIZERS))
    return next(having, folders[0])
