"""Estimates what adapting a study's checkpoints will take: steps, tokens, memory, and seconds where timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from headstart.device import choose_device
from headstart.events import EpochDone, Event, StepDone
from headstart.methods.adaptation_settings import make_settings
from headstart.methods.adaptation_task import load_language_model
from headstart.methods.adaptation_texts import build_blocks
from headstart.methods.adapted import find_unadapted
from headstart.planning.cost import AdaptingCost
from headstart.planning.study_estimate import StudyEstimate
from headstart.planning.time_model import DRIFT
from headstart.prepared import PreparedRun
from headstart.pretraining.run import pretrain_model
from headstart.pretraining.schedule import count_total_blocks, count_total_steps
from headstart.pretraining.validation import count_validations
from headstart.records import Range
from headstart.stages import tell_stage
from headstart.store.adapted import read_adapting
from headstart.store.layout import StudyLayout

#: Steps that fill caches first, and steps timed then.
_WARM_UP_STEPS: Final = 2
_TIMED_STEPS: Final = 6
#: Weights, gradients and AdamW's two moments in float32, in bytes a parameter.
_BYTES: Final = 16


def estimate_adapting(runs: Sequence[PreparedRun]) -> AdaptingCost | None:
    """What adapting will take that is still to be made for `runs`; None where none is.

    Seconds are known where another seed was adapted in the same way; else `time_adapting` finds them.

    Raises:
        DataError: a text of `adapt.text` is one of valid or test.
    """
    unmade = list(find_unadapted(runs).values())
    if not unmade:
        return None
    first = unmade[0]
    settings = make_settings(first)
    blocks, _ = build_blocks(first, settings.training.block)
    parameters = sum(value.numel() for value in first.checkpoint.build_skeleton().parameters())
    return AdaptingCost(
        count=len(unmade),
        steps=count_total_steps(settings.training, len(blocks)),
        tokens=count_total_blocks(settings.training, len(blocks)) * settings.training.block,
        memory_bytes=_BYTES * parameters,
        can_time=choose_device(settings.device).type == "cpu",
        seconds=_predict(_find_like(first, blocks.digest), len(unmade)),
    )


def _find_like(prepared: PreparedRun, digest: str) -> list[float]:
    """Seconds of other seeds' adaptations with the same settings and texts, in the study's folder."""
    layout = StudyLayout(Path(prepared.study.study.out))
    own = _dump_settings(make_settings(prepared).model_dump(mode="json"))
    return [
        record.seconds
        for record in read_adapting(layout)
        if record.train_digest == digest and _dump_settings(record.settings) == own
    ]


def _dump_settings(settings: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in settings.items() if key != "seed"}


def _predict(seconds: Sequence[float], count: int) -> Range | None:
    """The range of `count` more, as far as a machine's speed drifts."""
    if not seconds:
        return None
    return Range(low=count * min(seconds) * (1 - DRIFT), high=count * max(seconds) * (1 + DRIFT))


def time_adapting(estimate: StudyEstimate) -> StudyEstimate:
    """The estimate with the seconds of adapting, by a few real steps that are soon forgotten, on a CPU.

    On a GPU steps are compiled first, which takes longer than what is timed here: they are not estimated.
    """
    cost = estimate.adapting
    if cost is None or cost.seconds is not None or not cost.can_time:
        return estimate
    tell_stage("timing a few steps of adapting")
    prepared = [estimate.prepared.select(run) for run in (*estimate.missing, *estimate.to_come)]
    step, validation = _time_steps(next(iter(find_unadapted(prepared).values())))
    each = cost.steps * step + count_validations(cost.steps) * validation
    return replace(estimate, adapting=replace(cost, seconds=_predict([each], cost.count)))


def _time_steps(prepared: PreparedRun) -> tuple[float, float]:
    """Seconds of a step and of a validation."""
    settings = make_settings(prepared)
    train, valid = build_blocks(prepared, settings.training.block)
    steps = _WARM_UP_STEPS + _TIMED_STEPS
    training = settings.training.model_copy(update={"steps": steps})
    model = load_language_model(prepared.checkpoint, settings.task, prepared.run.seed)
    ends: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, StepDone | EpochDone):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        pretrain_model(
            settings.model_copy(update={"training": training, "eval_every": steps}),
            model=model,
            tokenizer=prepared.checkpoint.tokenizer,
            blocks=train,
            valid=valid,
            folder=Path(folder),
            on_event=note,
        )
    return (ends[steps - 1] - ends[_WARM_UP_STEPS - 1]) / _TIMED_STEPS, ends[steps] - ends[steps - 1]
