"""Makes the pretraining settings of an adaptation of a study's `adapt` section."""

from __future__ import annotations

from typing import Any

from headstart.config.adapt_section import Adapt
from headstart.config.pretraining import Masking, PretrainingSettings, PretrainingSteps
from headstart.methods.adaptation_task import choose_task
from headstart.prepared import PreparedRun


def make_settings(prepared: PreparedRun) -> PretrainingSettings:
    """How the run's checkpoint is adapted."""
    adapt, checkpoint = prepared.study.study.adapt, prepared.checkpoint
    precision = prepared.precision
    return PretrainingSettings(
        task=choose_task(checkpoint),
        masking=Masking(share=adapt.mask_share),
        training=PretrainingSteps(
            block=min(adapt.block, checkpoint.max_length),
            batch_size=adapt.batch_size,
            **_get_length(adapt),
            learning_rate=adapt.learning_rate,
            precision="bf16" if precision == "bf16" else "fp32",
        ),
        seed=prepared.run.seed,
        device=prepared.study.study.device,
        trackers=(),
    )


def _get_length(adapt: Adapt) -> dict[str, Any]:
    """Epochs or steps, whichever is in force."""
    return {"epochs": adapt.epochs} if adapt.steps is None else {"steps": adapt.steps}
