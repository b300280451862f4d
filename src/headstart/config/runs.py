"""A study becomes its runs (arm x size x seed x grid point), which train in packs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headstart.config.arm_settings import GridPoint, get_checkpoint, list_grid_points, resolve_training
from headstart.config.fairness import check_control
from headstart.config.study import Lora, Probe, Size, Study, Training
from headstart.config.traits import MethodName, get_method_traits
from headstart.records import Estimate, format_run_key


@dataclass(frozen=True)
class Run:
    """One arm, trained on `size` texts with one seed; `training` has every value settled.

    `lora`, `probe` and `peft` are the methods' own settings; those of other methods are None.
    """

    arm: str
    size: Size
    seed: int
    method: MethodName
    checkpoint: str
    pretrained: bool
    training: Training
    grid_point: GridPoint = ()
    lora: Lora | None = None
    probe: Probe | None = None
    peft: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """`arm/size/seed`, with the point of the grid in a tuned arm: the run's folder below `runs/`."""
        return format_run_key(self.arm, self.size, self.seed, self.grid_point)


@dataclass(frozen=True)
class Pack:
    """Runs of one architecture and one method that train at once, stacked into one module.

    `estimate` is what was expected of it before it began.
    """

    runs: tuple[Run, ...]
    estimate: Estimate | None = None


def expand_runs(study: Study) -> tuple[Run, ...]:
    """Every run of the study: seeds outermost, so that a study stopped early has whole comparisons.

    Raises:
        StudyError: where an arm differs from its control in more than its initialisation and method.
    """
    check_control(study)
    return tuple(
        _make_run(study, name, size, seed, point)
        for seed in study.seeds
        for size in study.sizes
        for name, arm in study.arms.items()
        for point in list_grid_points(study, arm)
    )


def _make_run(study: Study, name: str, size: Size, seed: int, point: GridPoint) -> Run:
    arm = study.arms[name]
    traits = get_method_traits(arm.method)
    return Run(
        arm=name,
        size=size,
        seed=seed,
        method=arm.method,
        checkpoint=get_checkpoint(study, arm) if traits.has_checkpoint else "",
        pretrained=arm.init != "random" and traits.has_checkpoint,
        training=resolve_training(study, arm).model_copy(update=dict(point)),
        grid_point=point,
        lora=arm.lora,
        probe=arm.probe,
        peft=arm.peft,
    )
