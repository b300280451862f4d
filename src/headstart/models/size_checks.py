"""Checks a network's sizes before any memory is taken: by what its folder has saved, and by the machine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch

from headstart.errors import ModelError
from headstart.machine_memory import measure_memory_limit
from headstart.models.weight_files import check_weights, find_weight_files
from headstart.models.weight_names import read_weight_shapes, unwrap_name

#: Bytes of a weight in float32, in which every run begins.
_WIDTH: Final = 4


def check_memory(skeleton: torch.nn.Module, name: str) -> None:
    """See that this machine's memory, all of it, can hold a network in float32.

    Args:
        skeleton: the network on the meta device.

    Raises:
        ModelError: it cannot; says both sizes, and the largest of its tables.
    """
    sizes = {path: value.numel() for path, value in skeleton.state_dict().items()}
    needed, limit = _WIDTH * sum(sizes.values()), measure_memory_limit()
    if needed > limit:
        largest = max(sizes, key=lambda path: sizes[path])
        shape = list(skeleton.state_dict()[largest].shape)
        raise ModelError(
            f"its weights need {_format_gib(needed)} in float32, and this machine has {_format_gib(limit)}; "
            f"the largest is {largest} {shape}",
            where=name,
            expected="a config.json whose model fits into memory",
            fix="correct config.json if it is wrong, or choose a smaller model",
        )


def _format_gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"


def check_saved_sizes(skeleton: Any, location: str, name: str) -> None:
    """See that a folder's weights have the sizes that its configuration gives them; heads are passed over.

    Only headers are read. Weights under names of their own are left to the library.

    Raises:
        ModelError: some have other sizes, or the files are not whole.
    """
    folder = Path(location)
    if not folder.is_dir():
        return
    check_weights(folder)
    saved = _read_saved_shapes(folder)
    prefix = f"{skeleton.base_model_prefix}."
    wrong = []
    for path, value in skeleton.state_dict().items():
        shape = saved.get(path, saved.get(path.removeprefix(prefix)))
        # Some families' tables are turned, or taken apart, when they are loaded: those have as many numbers.
        if shape is not None and value.numel() != _count(shape) and _is_body(path, prefix):
            wrong.append((path, tuple(value.shape), shape))
    if wrong:
        path, expected, shape = wrong[0]
        raise ModelError(
            f"{len(wrong)} weights of the body are missing or of the wrong size, such as {path}: "
            f"{list(shape)} in the file, {list(expected)} by config.json",
            where=name,
            expected=f"weights of a {skeleton.config.model_type} with the sizes in its config.json",
            fix="correct config.json, or copy or download the checkpoint again",
        )


def _read_saved_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    shapes = (read_weight_shapes(file) for file in find_weight_files(folder))
    return {unwrap_name(name): shape for of_file in shapes for name, shape in of_file.items()}


def _count(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


def _is_body(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and "pooler" not in path
