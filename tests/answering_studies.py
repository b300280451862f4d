"""Writes studies of language models that tests share: conversations by part, one seed, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


def write_answering_study(
    folder: Path, model: Path, rows: Mapping[str, Iterable[Mapping[str, Any]]], **keys: Any
) -> Path:
    """The file of a study of `model` in `folder`, beside a file of rows for each part (or for `path`)."""
    data = {part: folder / f"{part}.jsonl" for part in rows}
    for part, of_part in rows.items():
        data[part].write_text("".join(json.dumps(row) + "\n" for row in of_part), encoding="utf-8")
    study = {
        "task": "instruction",
        "data": {part: str(file) for part, file in data.items()},
        "model": str(model),
        "seeds": [0],
        "workers": 0,
        "report": False,
        "device": "cpu",
        "out": str(folder / "out"),
    } | keys
    with (folder / "study.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(study, stream)
    return folder / "study.yaml"
