"""Checks a folder's weight files before they are loaded: there, whole, and of a kind that runs no code."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from headstart.errors import ModelError

#: What transformers looks for, in its order: the first that is there is loaded, the others are passed over.
_WEIGHTS: Final = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
#: Weights in formats that only other programs read.
_FOREIGN: Final = ("*.h5", "*.msgpack", "*.gguf", "*.pth", "*.ckpt*", "*.onnx", "*.npz", "*.pt")
_POINTER: Final = b"version https://git-lfs"
#: Formats of safetensors of 8 bits or fewer.
_FEW_BITS: Final = ("I8", "U8", "F8_", "F6_", "F4")
_EXPECTED: Final = "model.safetensors, or its parts with model.safetensors.index.json"


def find_weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that hold the folder's weights, those that an index names though they may be absent.

    Raises:
        ModelError: the index cannot be read.
    """
    first = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        return ()
    return _read_index(first) if first.suffix == ".json" else (first,)


def _read_index(index: Path) -> tuple[Path, ...]:
    _check_pointer(index)
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{index.name} cannot be read", where=str(index.parent), expected="a weight_map of files"
        ) from error
    return tuple(index.parent / str(name) for name in sorted(names, key=str))


def check_weights(folder: Path) -> None:
    """See that the weights are there and whole.

    Raises:
        ModelError: they are not; says which file, and what it is.
    """
    files = find_weight_files(folder)
    if not files:
        raise ModelError(_describe_absence(folder), where=str(folder), expected=_EXPECTED)
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        raise ModelError(
            f"{len(absent)} of {len(files)} parts of the weights are absent, such as {absent[0]}",
            where=str(folder),
            expected="every file that the index names",
            fix="copy or download the checkpoint again",
        )
    for file in files:
        check_weight_file(file)


def _describe_absence(folder: Path) -> str:
    """What is there in place of weights."""
    parts = sorted(file.name for file in folder.glob("model-*-of-*.safetensors"))
    if parts:
        return f"parts of weights such as {parts[0]}, without the index that joins them"
    foreign = sorted(file.name for pattern in _FOREIGN for file in folder.glob(pattern))
    if foreign:
        return f"no weights that can be read: {foreign[0]} is in another program's format"
    return "no weights are there"


def check_weight_file(file: Path) -> None:
    """See that one file of weights is whole.

    Raises:
        ModelError: it is a pointer of git-lfs, or cut.
    """
    _check_pointer(file)
    try:
        if file.suffix == ".safetensors":
            _refuse_few_bits(file)
            return
        # Older files are no zip archives: whether those are whole shows when they are loaded.
        is_broken = _read_start(file).startswith(b"PK") and not zipfile.is_zipfile(file)
        reason = "its end is absent"
    except (SafetensorError, OSError) as error:
        is_broken, reason = True, str(error)
    if is_broken or file.stat().st_size == 0:
        raise ModelError(
            f"{file.name} is cut or damaged, at {file.stat().st_size:,} bytes: {reason}",
            where=str(file.parent),
            fix="copy or download it again",
        )


def _refuse_few_bits(file: Path) -> None:
    """Weights in 8 bits are numbers times scales, which the library leaves out where no one names them."""
    with safe_open(file, framework="pt") as stream:
        formats = {name: stream.get_slice(name).get_dtype() for name in stream.keys()}  # noqa: SIM118
    few = [n for n, kind in formats.items() if n.endswith("weight") and kind.startswith(_FEW_BITS)]
    if few:
        raise ModelError(
            f"{file.name} holds {len(few)} tables of weights in {formats[few[0]]}, such as {few[0]}, "
            "and no quantization_config says how they are read",
            where=str(file.parent),
            expected="weights in float32, float16 or bfloat16",
            fix="name the checkpoint that was quantised; method: qlora puts it into four bits itself",
        )


def _check_pointer(file: Path) -> None:
    if is_pointer(file):
        raise ModelError(
            f"{file.name} is a pointer of git-lfs, not the file itself",
            where=str(file.parent),
            fix="run `git lfs pull` there, or download the file",
        )


def is_pointer(file: Path) -> bool:
    """Whether git-lfs left a pointer where the file is to be."""
    return _read_start(file) == _POINTER


def _read_start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(len(_POINTER))
