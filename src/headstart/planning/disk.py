"""How much disk a study's output takes: models, predictions, curves, and the states of unfinished runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from headstart.config.runs import Run
from headstart.config.traits import get_method_traits
from headstart.engine.schedule import count_total_steps
from headstart.planning.cost import DiskCost
from headstart.prepared import PreparedRun, PreparedStudy
from headstart.records import Parameters

#: A row of predictions apart from its probabilities, and what a step adds to curves, in bytes.
_ROW: Final = 24
_STEP: Final = 100
#: Numbers of a training state for each trainable one, in bytes: weights, best weights and two moments.
_STATE: Final = 16


def estimate_disk(
    runs: Sequence[Run], prepared: PreparedStudy, parameters: Mapping[str, Parameters | None], out: Path
) -> DiskCost:
    """What the runs write to `out`.

    Args:
        parameters: by arm.
    """
    return DiskCost(
        output_bytes=_estimate_output_bytes(runs, prepared, parameters),
        state_bytes=_estimate_state_bytes(runs, parameters),
        free_bytes=_measure_free_bytes(out),
    )


def _estimate_output_bytes(
    runs: Sequence[Run], prepared: PreparedStudy, parameters: Mapping[str, Parameters | None]
) -> int:
    """What the folder takes when all runs have ended."""
    models = sum(
        _estimate_model_bytes(prepared.select(run), parameters[run.arm]) for run in _list_saved(runs)
    )
    rows = len(prepared.corpus.parts["test"]) * (_ROW + 8 * prepared.corpus.num_outputs)
    tested = sum(not run.for_tuning for run in runs)
    stepping = [run for run in runs if get_method_traits(run.method).has_steps]
    steps = sum(count_total_steps(run.training, prepared.select(run).train_count) for run in stepping)
    return models + tested * rows + _STEP * steps


def _estimate_state_bytes(runs: Sequence[Run], parameters: Mapping[str, Parameters | None]) -> int:
    """The largest state that a run keeps while it is unfinished."""
    known = (parameters[run.arm] for run in runs if get_method_traits(run.method).has_steps)
    return max((_STATE * of_arm.trainable for of_arm in known if of_arm), default=0)


def _measure_free_bytes(folder: Path) -> int:
    """What is free where a folder is, or will be."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def _list_saved(runs: Sequence[Run]) -> list[Run]:
    """A run for each model that stays: one an arm, in a tuned arm of each size and setting."""
    judged = [run for run in runs if not run.for_tuning]
    places = {(run.arm, run.size, run.grid_point) if run.grid_point else run.arm: run for run in judged}
    return list(places.values())


def _estimate_model_bytes(prepared: PreparedRun, parameters: Parameters | None) -> int:
    if parameters is None or not prepared.method.has_checkpoint or prepared.method.artifact == "nothing":
        return 0
    is_whole = prepared.method.artifact == "model" or not prepared.run.pretrained
    weights = 4 * (parameters.total if is_whole else parameters.trainable)
    return weights + _measure_tokenizer_bytes(Path(prepared.checkpoint.location))


def _measure_tokenizer_bytes(folder: Path) -> int:
    """What a checkpoint's tokenizer takes, which is saved with each model."""
    return sum(file.stat().st_size for file in folder.glob("tokenizer*") if file.is_file())
