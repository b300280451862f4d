"""What the parameters of an arm's saved model are, part by part, and which train, by formulas alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from headstart.analysis.details.adapter_parts import (
    ADAPTER_FILE,
    PROBE_FILE,
    count_adapted,
    count_probe,
    find_rank,
    read_shapes,
)
from headstart.analysis.details.saved_configs import (
    CountedPart,
    SavedModelConfig,
    make_breakdown,
    read_saved_model_config,
    sort_parts,
)
from headstart.analysis.study_runs import StudyRuns
from headstart.errors import HeadstartError
from headstart.models.accounting.breakdown import ParameterBreakdown
from headstart.models.accounting.heads import Head
from headstart.records import Parameters


@dataclass(frozen=True)
class ModelParts:
    """The parts of the models of `arms`, which are built alike.

    `trained` has of each part how many weights train, beside a base that is frozen; empty where all do.
    """

    arms: tuple[str, ...]
    breakdown: ParameterBreakdown
    trained: tuple[int, ...] = ()

    @property
    def trainable(self) -> int:
        """All that trains."""
        return sum(self.trained) if self.trained else self.breakdown.total


def find_model_parts(runs: StudyRuns, get_model_folder: Callable[[str], Path]) -> tuple[ModelParts, ...]:
    """Of each kind of model one, where the formulas give just the number that a run counted.

    Models of other families, adapters other than LoRA's, and arms whose model is not kept have none. An
    adapter over random weights is merged into them, and has the parts of an arm with the same settings.
    """
    found: list[ModelParts] = []
    arms = list(runs.study.arms)
    for arm in arms:
        parts = _read_parts(get_model_folder(arm), _list_counted(runs, arm))
        if parts is not None:
            _add(found, arm, parts)
    for arm in arms:
        twin = None if any(arm in parts.arms for parts in found) else _find_twin(runs, found, arm)
        if twin is not None:
            _add(found, arm, twin)
    return tuple(found)


def _add(found: list[ModelParts], arm: str, parts: ModelParts) -> None:
    for place, other in enumerate(found):
        if (other.breakdown.parts, other.trained) == (parts.breakdown.parts, parts.trained):
            found[place] = replace(other, arms=(*other.arms, arm))
            return
    found.append(replace(parts, arms=(arm,)))


def _list_counted(runs: StudyRuns, arm: str) -> list[Parameters]:
    """What the arm's runs counted: several numbers where ranks are tuned."""
    of_arm = (run.parameters for run in runs.records if run.arm == arm and run.parameters)
    return list({(one.total, one.trainable): one for one in of_arm}.values())


def _find_twin(runs: StudyRuns, found: list[ModelParts], arm: str) -> ModelParts | None:
    """An arm's parts that has the same method with the same settings, and counted the same."""
    study, counted = runs.study, _list_counted(runs, arm)
    mine = study.arms[arm]
    for parts in found:
        theirs = study.arms[parts.arms[0]]
        is_alike = (mine.method, mine.lora, mine.probe) == (theirs.method, theirs.lora, theirs.probe)
        if is_alike and parts.trained and _is_counted(parts, counted):
            return parts
    return None


def _is_counted(parts: ModelParts, counted: list[Parameters]) -> bool:
    totals = [(one.total, one.trainable if parts.trained else parts.trainable) for one in counted]
    return (parts.breakdown.total, parts.trainable) in totals


def _read_parts(folder: Path, counted: list[Parameters]) -> ModelParts | None:
    """By formulas; None where there is no such file, or they do not give what was counted."""
    try:
        model = read_saved_model_config(folder)
        made = () if model is None else _list_candidates(model, folder)
        return next((parts for parts in made if _is_counted(parts, counted)), None)
    except (
        HeadstartError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):  # a configuration of another kind
        return None


def _list_candidates(model: SavedModelConfig, folder: Path) -> Iterator[ModelParts]:
    """What the folder may hold: its configuration may name another head than that which trained."""
    if (folder / ADAPTER_FILE).is_file():
        shapes = read_shapes(folder / ADAPTER_FILE)
        adapted = replace(model, symbols={**model.symbols, "R": find_rank(shapes)})
        for head in dict.fromkeys((Head.CLASSIFICATION, Head.CAUSAL_LM, model.head)):
            yield _make_parts(count_adapted(adapted, head, shapes), adapted, is_frozen=True)
    elif (folder / PROBE_FILE).is_file():
        shapes = read_shapes(folder / PROBE_FILE)
        for head in (Head.CLASSIFICATION, Head.NONE):
            yield _make_parts(count_probe(model, head, shapes), model, is_frozen=True)
    else:
        yield _make_parts(list(model.list_parts(model.head)), model, is_frozen=False)


def _make_parts(parts: list[CountedPart], model: SavedModelConfig, *, is_frozen: bool) -> ModelParts:
    ordered = sort_parts(parts)
    trained = tuple(part.trained for part in ordered) if is_frozen else ()
    return ModelParts((), make_breakdown(ordered, model.symbols), trained)
