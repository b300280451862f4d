"""What a study's folder holds, as digests and figures, and how one differs from another: for `kills.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Figures that time, memory and place decide, wherever they stand in a record.
UNEQUAL: Final = frozenset(
    {"seconds", "peak_memory_bytes", "peak_device_memory_bytes", "estimate", "started", "out", "digest"}
    # A run that was killed after its last step makes none, and so captures none.
    | {"captured"}
    | {"memory_bytes"}  # of what an arm costs
)
#: How often people looked at results is no figure of the runs: a run that was killed has looked too.
_LOOKS: Final = "looks"
#: The hidden folder that each study's folder has: its mark, and who uses it.
OWN_FOLDER: Final = ".headstart"


@dataclass(frozen=True)
class Snapshot:
    """Digests of predictions, weights and all else below models/, by path; figures of results.json, by place;
    and scratch that should not be there."""

    files: dict[str, str]
    figures: dict[str, Any]
    scratch: tuple[str, ...]


def take_snapshot(out: Path) -> Snapshot:
    """What a study left that has ended."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    digests = {
        str(path.relative_to(out)): _hash(path) for path in paths if _is_compared(path.relative_to(out))
    }
    results = out / "results.json"
    figures = dict(_flatten(json.loads(results.read_text("utf-8")), "")) if results.is_file() else {}
    scratch = [path for path in out.rglob("*") if _is_scratch(path.relative_to(out))]
    return Snapshot(digests, figures, tuple(str(path.relative_to(out)) for path in sorted(scratch)))


def list_differences(one: Snapshot, other: Snapshot) -> list[str]:
    """Files and figures that are not the same in both, by name."""
    files = [
        key for key in one.files.keys() | other.files.keys() if one.files.get(key) != other.files.get(key)
    ]
    figures = [
        f"results.json{key}"
        for key in one.figures.keys() | other.figures.keys()
        if one.figures.get(key) != other.figures.get(key)
    ]
    return sorted([*files, *figures])


def _is_scratch(path: Path) -> bool:
    """Whether a study that has ended should not have it: hidden but for its own folder, in which it is free;
    a training state, or records on their way."""
    if path.parts[0] == OWN_FOLDER:
        return (path.name.startswith(".") and len(path.parts) > 1) or path.suffix == ".held"
    return path.name.startswith(".") or path.name == "checkpoint" or path.parts[0] == "ended"


def _is_compared(path: Path) -> bool:
    return path.suffix in {".parquet", ".safetensors"} or path.parts[0] == "models"


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tells_of_a_kill(value: Any) -> bool:
    """Whether it is the warning of a run that was killed while its pack's states were written, one by one."""
    return isinstance(value, dict) and value.get("kind") == "state-not-used"


def _flatten(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in UNEQUAL and not (place == "" and key == _LOOKS):
                yield from _flatten(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(one for one in value if not _tells_of_a_kill(one)):
            yield from _flatten(inner, f"{place}[{i}]")
    else:
        yield place, value
