"""Checks a folder's weight files before they are loaded: there, whole, and of a kind that runs no code."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Final

from safetensors import SafetensorError, safe_open

from headstart.errors import ModelError
from headstart.models.strict_json import read_strict_json, refuse_irregular

#: What transformers looks for, in its order: the first that is there is loaded, the others are passed over.
WEIGHTS: Final = (
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
    for name in WEIGHTS:
        refuse_irregular(folder / name)
    first = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if first is None:
        return ()
    return _read_index(first) if first.suffix == ".json" else (first,)


def _read_index(index: Path) -> tuple[Path, ...]:
    _check_pointer(index)
    places = read_strict_json(index).get("weight_map")
    names = set(map(str, places.values())) if isinstance(places, dict) else set()
    if not names:
        raise ModelError(
            f"{index.name} names no files", where=str(index.parent), expected="a weight_map of files"
        )
    # The library joins paths as they stand: with `..` it would read what nobody gave it.
    outside = sorted(name for name in names if Path(name).name != name or "\\" in name)
    if outside:
        raise ModelError(
            f"{index.name} names {outside[0][:80]!r}, which lies outside the folder",
            where=str(index.parent),
            expected="names of files in the same folder",
            fix="put the file there, and correct the index",
        )
    return tuple(index.parent / name for name in sorted(names))


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
            f"{len(absent)} of {len(files)} parts of the weights are missing, such as {absent[0]}",
            where=str(folder),
            expected="every file that the index names",
            fix="copy or download the checkpoint again",
        )
    for file in files:
        check_weight_file(file)
    if len(files) > 1:
        _refuse_twice(files)


def _refuse_twice(files: Sequence[Path]) -> None:
    """A table in two parts: which of them counts would be the order of reading."""
    seen: dict[str, str] = {}
    for file in files:
        for name in _read_formats(file) if file.suffix == ".safetensors" else ():
            if name in seen:
                raise ModelError(
                    f"{name} is in two parts of the weights, {seen[name]} and {file.name}",
                    where=str(file.parent),
                    expected="each table in one part",
                    fix="copy or download the checkpoint again",
                )
            seen[name] = file.name


def _describe_absence(folder: Path) -> str:
    """What is there in place of weights."""
    parts = sorted(file.name for file in folder.glob("model-*-of-*.safetensors"))
    if parts:
        return f"parts of weights such as {parts[0]}, without the index that joins them"
    foreign = sorted(file.name for pattern in _FOREIGN for file in folder.glob(pattern))
    if foreign:
        return f"no weights that can be read: {foreign[0]} is in the format of another program"
    return "no weights found"


def check_weight_file(file: Path) -> None:
    """See that one file of weights is whole.

    Raises:
        ModelError: it is a pointer of git-lfs, cut, of another kind, or no file.
    """
    refuse_irregular(file)
    _check_pointer(file)
    _refuse_text(file)
    try:
        if file.suffix == ".safetensors":
            _refuse_few_bits(file)
            return
        # Older files are no zip archives: whether those are whole shows when they are loaded.
        is_archive = _read_start(file).startswith(b"PK")
        is_broken = is_archive and not zipfile.is_zipfile(file)
        reason = "its end is missing"
        if is_archive and not is_broken:
            _refuse_compressed(file)
    # ValueError: a name in the archive that is no text.
    except (SafetensorError, OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        is_broken, reason = True, str(error)
    if is_broken or file.stat().st_size == 0:
        raise ModelError(
            f"{file.name} is cut or damaged, at {file.stat().st_size:,} bytes: {reason}",
            where=str(file.parent),
            fix="copy or download it again",
        )


def _refuse_few_bits(file: Path) -> None:
    """Weights in 8 bits are numbers times scales, which the library leaves out where no one names them."""
    formats = _read_formats(file)
    few = [n for n, kind in formats.items() if n.endswith("weight") and kind.startswith(_FEW_BITS)]
    if few:
        raise ModelError(
            f"{file.name} holds {len(few)} tables of weights in {formats[few[0]]}, such as {few[0]}, "
            "and no quantization_config says how they are read",
            where=str(file.parent),
            expected="weights in float32, float16 or bfloat16",
            fix="use the original checkpoint; method: qlora quantises it to 4 bits itself",
        )


def _read_formats(file: Path) -> dict[str, str]:
    """The number format of each table, from the header of a file of safetensors."""
    with safe_open(file, framework="pt") as stream:
        return {name: str(stream.get_slice(name).get_dtype()) for name in stream.keys()}  # noqa: SIM118


def _refuse_compressed(file: Path) -> None:
    """torch stores tables as they are: a compressed one may unpack to a thousand times its bytes."""
    with zipfile.ZipFile(file) as archive:
        packed = [one for one in archive.infolist() if one.file_size > one.compress_size]
    if packed:
        raise ModelError(
            f"{file.name} is compressed: {packed[0].filename} has {packed[0].compress_size:,} bytes "
            f"for {packed[0].file_size:,}",
            where=str(file.parent),
            expected="what torch.save writes, which compresses nothing",
            fix="save it as safetensors where it can be trusted",
        )


def _refuse_text(file: Path) -> None:
    """Downloads that failed leave a page, or a message, under the name of the weights."""
    start = _read_start(file)
    if start.lstrip().startswith((b"<", b"{")):
        raise ModelError(
            f"{file.name} is a web page or a text, not weights: it begins with {start.decode('latin-1')!r}",
            where=str(file.parent),
            expected=_EXPECTED,
            fix="download it again",
        )


@contextmanager
def unpickling_errors(file: Path) -> Iterator[None]:
    """Turn what torch raises for a `.bin` that is damaged, or holds more than tables, into a `ModelError`.

    Raises:
        ModelError: it is.
    """
    try:
        yield
    except (UnpicklingError, EOFError, RuntimeError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, UnpicklingError) and "nsupported" in str(error):
            raise ModelError(
                f"its {file.suffix or file.name} holds more than weights, which would run as code",
                where=str(file.parent),
                expected="model.safetensors, or a pickle of tensors alone",
                fix="save it as safetensors where it can be trusted",
            ) from error
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{file.name} is cut or damaged: {line[:200]}",
            where=str(file.parent),
            fix="copy or download it again",
        ) from error


def _check_pointer(file: Path) -> None:
    if is_pointer(file):
        raise ModelError(
            f"{file.name} is a Git LFS pointer, not the file itself",
            where=str(file.parent),
            fix="run `git lfs pull` there, or download the file",
        )


def is_pointer(file: Path) -> bool:
    """Whether git-lfs left a pointer where the file is to be."""
    return _read_start(file) == _POINTER


def _read_start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(len(_POINTER))
