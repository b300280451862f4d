"""What a saved model's configuration says it is made of, by formulas: needs no torch, reads no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from headstart.models.accounting.breakdown import PLACES, ParameterBreakdown, PartCount, count_by_formula
from headstart.models.accounting.families import FAMILIES
from headstart.models.accounting.heads import Head, read_head
from headstart.models.accounting.layers import SectionSpec, list_parts, read_symbols
from headstart.store.json_files import read_json

#: What some families' files have in place of a name that formulas are read by.
_OTHER_NAMES: Final = {
    "hidden_size": ("n_embd", "dim", "d_model"),
    "num_hidden_layers": ("n_layer", "n_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "max_position_embeddings": ("n_positions",),
}


@dataclass(frozen=True)
class CountedPart:
    """A part, the names of its parameters as formulas have them, and how many of its weights train."""

    count: PartCount
    parameters: tuple[str, ...] = ()
    trained: int = 0


@dataclass(frozen=True)
class SavedModelConfig:
    """The sections that the configuration's family has with any head, and the values of its symbols."""

    config: Any
    symbols: Mapping[str, int]

    @property
    def head(self) -> Head:
        """The one that the file names."""
        return read_head(self.config)

    def list_sections(self, head: Head) -> tuple[SectionSpec, ...]:
        """The model's sections with such a head."""
        return tuple(FAMILIES[self.config.model_type].specify(self.config, head))

    def list_parts(self, head: Head) -> Iterator[CountedPart]:
        """The model's parts by their formulas, in the family's order."""
        for section in self.list_sections(head):
            for part in list_parts(section):
                count = count_by_formula(
                    section.place, part.part, part.kind, part.formula, section.times, self.symbols
                )
                yield CountedPart(count, part.parameters)


class _Configuration(SimpleNamespace):
    """A configuration as its file has it, whatever names the family writes; what the file lacks is None."""

    def __getattr__(self, name: str) -> Any:
        values = vars(self)
        return next((values[other] for other in _OTHER_NAMES.get(name, ()) if other in values), None)


def read_saved_model_config(folder: Path) -> SavedModelConfig | None:
    """Of a saved model's folder; None where there is no file, or formulas know no such family.

    Raises:
        HeadstartError, AttributeError, KeyError, TypeError, ValueError: the file is of another kind.
    """
    file = folder / "config.json"
    if not file.is_file():
        return None
    values = read_json(file)
    config = _Configuration(**{"num_labels": len(values.get("id2label") or (0, 1)), **values})
    family = FAMILIES.get(str(config.model_type))
    return (
        None
        if family is None
        else SavedModelConfig(config, read_symbols(config) | family.read_symbols(config))
    )


def sort_parts(parts: list[CountedPart]) -> list[CountedPart]:
    """In the order of a table: places as they stand in a model."""
    return sorted(parts, key=lambda part: PLACES.index(part.count.place))


def make_breakdown(parts: list[CountedPart], symbols: Mapping[str, int]) -> ParameterBreakdown:
    """Of parts that are in their order."""
    return ParameterBreakdown(tuple(part.count for part in parts), symbols)
