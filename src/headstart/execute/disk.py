"""How much disk a study's output takes: models, predictions, curves, and the states of unfinished runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from headstart.config.expand import Run
from headstart.config.traits import method_traits
from headstart.engine.schedule import total_steps
from headstart.prepared import PreparedStudy as Prepared
from headstart.records import Parameters

Sizes = Mapping[str, Parameters | None]

#: A row of predictions apart from its probabilities, and what a step adds to curves, in bytes.
_ROW: Final = 24
_STEP: Final = 100


def disk_bytes(runs: Sequence[Run], prepared: Prepared, sizes: Sizes) -> int:
    """What the output folder takes when all runs have ended; `sizes` are the parameters by arm."""
    models = sum(_model_bytes(run, prepared, sizes) for run in _kept(runs))
    rows = len(prepared.corpus.parts["test"]) * (_ROW + 8 * prepared.corpus.outputs)
    stepwise = [run for run in runs if method_traits(run.method).has_steps]
    steps = sum(total_steps(run.training, prepared.select(run).train_count) for run in stepwise)
    return models + len(runs) * rows + _STEP * steps


def state_bytes(runs: Sequence[Run], sizes: Sizes) -> int:
    """The largest state that a run keeps while it is unfinished: weights, best weights and two moments."""
    known = (sizes[run.arm] for run in runs if method_traits(run.method).has_steps)
    return max((16 * one.trainable for one in known if one), default=0)


def free_bytes(folder: Path) -> int:
    """What is free where a folder is, or will be."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def _kept(runs: Sequence[Run]) -> list[Run]:
    """A run for each model that stays: one an arm, in a tuned arm of each size and setting."""
    places = {(run.arm, run.size, run.setting) if run.setting else run.arm: run for run in runs}
    return list(places.values())


def _model_bytes(run: Run, prepared: Prepared, sizes: Sizes) -> int:
    parameters = sizes[run.arm]
    if parameters is None or run.method == "none":
        return 0
    is_whole = run.method == "full" or not run.pretrained
    weights = 4 * (parameters.total if is_whole else parameters.trainable)
    return weights + _tokenizer_bytes(Path(prepared.checkpoints[run.checkpoint].location))


def _tokenizer_bytes(folder: Path) -> int:
    """What a checkpoint's tokenizer takes, which is saved with each model."""
    return sum(file.stat().st_size for file in folder.glob("tokenizer*") if file.is_file())
