"""What the parameters of an arm's saved model are, part by part, by formulas of its configuration alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from headstart.analysis.study_runs import StudyRuns
from headstart.errors import HeadstartError
from headstart.models.accounting.breakdown import ParameterBreakdown, PartCount, Place
from headstart.models.accounting.decoders import DECODERS
from headstart.models.accounting.encoders import ENCODERS
from headstart.models.accounting.formulas import evaluate
from headstart.models.accounting.gated_decoders import GATED_DECODERS
from headstart.models.accounting.heads import read_head
from headstart.models.accounting.layers import list_parts, read_symbols
from headstart.store.json_files import read_json

_FAMILIES: Final = ENCODERS | DECODERS | GATED_DECODERS
#: What some families' files have in place of a name that formulas are read by.
_OTHER_NAMES: Final = {
    "hidden_size": ("n_embd", "dim", "d_model"),
    "num_hidden_layers": ("n_layer", "n_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "max_position_embeddings": ("n_positions",),
}
_ORDER: Final[tuple[Place, ...]] = ("embeddings", "block", "body", "pooler", "head", "lm-head")


@dataclass(frozen=True)
class ModelParts:
    """The parts of the models of `arms`, which are built alike."""

    arms: tuple[str, ...]
    breakdown: ParameterBreakdown


class _Configuration(SimpleNamespace):
    """A configuration as its file has it, whatever names the family writes; what the file lacks is None."""

    def __getattr__(self, name: str) -> Any:
        values = vars(self)
        return next((values[other] for other in _OTHER_NAMES.get(name, ()) if other in values), None)


def find_model_parts(runs: StudyRuns, get_model_folder: Callable[[str], Path]) -> tuple[ModelParts, ...]:
    """Of each kind of model one, where the formulas give just the number that a run counted.

    Models of other families, adapters, and arms whose model is not kept have none.
    """
    found: dict[tuple[PartCount, ...], tuple[list[str], ParameterBreakdown]] = {}
    for arm in runs.study.arms:
        total = next(
            (run.parameters.total for run in runs.records if run.arm == arm and run.parameters), None
        )
        breakdown = _read_breakdown(get_model_folder(arm) / "config.json")
        if breakdown is not None and breakdown.total == total:
            found.setdefault(breakdown.parts, ([], breakdown))[0].append(arm)
    return tuple(ModelParts(tuple(arms), breakdown) for arms, breakdown in found.values())


def _read_breakdown(file: Path) -> ParameterBreakdown | None:
    """By formulas; None where there is no such file, or they do not cover it."""
    try:
        return _count(read_json(file)) if file.is_file() else None
    except (
        HeadstartError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):  # a configuration of another kind
        return None


def _count(values: Mapping[str, Any]) -> ParameterBreakdown | None:
    config = _Configuration(**{"num_labels": len(values.get("id2label") or (0, 1)), **values})
    family = _FAMILIES.get(str(config.model_type))
    if family is None:
        return None
    symbols = read_symbols(config) | family.read_symbols(config)
    parts = tuple(_list_counts(family.specify(config, read_head(config)), symbols))
    return ParameterBreakdown(tuple(sorted(parts, key=lambda part: _ORDER.index(part.place))), symbols)


def _list_counts(sections: Iterator[Any], symbols: Mapping[str, int]) -> Iterator[PartCount]:
    for section in sections:
        times = evaluate(section.times, symbols)
        for part in list_parts(section):
            each = evaluate(part.formula, symbols)
            yield PartCount(
                place=section.place,
                part=part.part,
                kind=part.kind,
                formula=part.formula,
                times_formula=section.times,
                times=times,
                each=each,
                count=each * times,
            )
