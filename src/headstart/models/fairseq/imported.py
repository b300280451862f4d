"""Holds what an import of a fairseq checkpoint read, chose, left out and wrote."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from headstart.models.fairseq.sizes import Sizes
from headstart.records import SCHEMA_VERSION
from headstart.shown import Shown


@dataclass(frozen=True, repr=False)
class ImportedModel(Shown, view="headstart.report.views.imported:IMPORTED"):
    """A Hugging Face folder, `path`, that was made of the fairseq checkpoint `source`.

    `family` is the `model_type` of its configuration. `parameters` are those that fairseq counts, by part: a
    tied table once. `heads` are the outputs of each head for classification by name, `head` the one that was
    taken, or lm_head, or None. `dropped` are keys that hold nothing learnt, `left_out` parts that were not
    taken along; `notes` are sentences.
    """

    path: Path
    source: Path
    settings_from: str
    arch: str
    task: str
    family: str
    sizes: Sizes
    parameters: dict[str, int]
    heads: dict[str, int]
    head: str | None
    labels: tuple[str, ...]
    label_file: Path | None
    dictionary: Path
    tokenizer: str | None
    dropped: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def total(self) -> int:
        """All parameters of the checkpoint, as fairseq counts them."""
        return sum(self.parameters.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        values = {one.name: _make_plain(getattr(self, one.name)) for one in fields(self)}
        return {"schema_version": SCHEMA_VERSION, **values, "total": self.total}


def _make_plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sizes):
        return asdict(value)
    return list(value) if isinstance(value, tuple) else value
