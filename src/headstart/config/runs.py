"""A study becomes its runs (arm x size x seed x grid point), which train in packs.

A tuned arm whose grid point is chosen by seeds of its own has two kinds of runs: those for tuning, of its
whole grid, and those that are judged, at the chosen point, which only the first kind's results tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from headstart.config.arm_settings import (
    GridPoint,
    get_checkpoint,
    get_partial_start,
    get_tuning_seeds,
    is_adapted,
    is_pretrained,
    list_grid_points,
    resolve_training,
)
from headstart.config.fairness import check_control
from headstart.config.partial_start import PartialStart
from headstart.config.sizes import Size
from headstart.config.study import Lora, Probe, Study, Training
from headstart.config.traits import MethodName, get_method_traits
from headstart.records import Estimate, format_run_key

#: What decides how a network's steps go, and not which network it is.
_OF_STEPS: Final = {"learning_rate", "weight_decay", "batch_size", "accumulation", "epochs", "steps"}


@dataclass(frozen=True, repr=False)
class Run:
    """One arm, trained on `size` texts with one seed; `training` has every value settled.

    `lora`, `probe` and `peft` are the methods' own settings; those of other methods are None. A run
    `for_tuning` only helps to choose among its arm's grid points: it is not tested, and leaves no model.
    `start` is the part of its checkpoint that it starts from, None where that is all or, not `pretrained`,
    nothing; one that is `adapted` starts from what was pretrained on the study's texts with its seed.
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
    for_tuning: bool = False
    start: PartialStart | None = None
    adapted: bool = False

    @property
    def key(self) -> str:
        """`arm/size/seed`, with the point of the grid in a tuned arm: the run's folder below `runs/`."""
        return format_run_key(self.arm, self.size, self.seed, self.grid_point, for_tuning=self.for_tuning)

    def __repr__(self) -> str:
        return f"<Run: {self.key}>"

    @property
    def reads_weights(self) -> bool:
        """Whether it starts from weights of its checkpoint, all or some."""
        return self.pretrained or self.adapted or self.start is not None

    def describe_start(self) -> str | None:
        """`pretrained`, `random`, or which part of the checkpoint, as in a study file; None without one."""
        if self.start is not None:
            return self.start.format_value()
        if self.adapted:
            return "adapted"
        return ("pretrained" if self.pretrained else "random") if self.checkpoint else None

    @property
    def base(self) -> str:
        """What its first weights are besides its checkpoint's: `pretrained`, or a draw of its seed."""
        if self.pretrained:
            return "pretrained"
        return f"{self.describe_start()}, seed {self.seed}"

    @property
    def network(self) -> str:
        """What decides which network it trains, and whether that can be, as one string: not how it steps.

        Of many arms that differ in such numbers alone a network is looked at once.
        """
        training = self.training.model_dump_json(exclude=_OF_STEPS)
        own = (self.lora, self.probe, self.peft, self.start, self.adapted)
        return repr((self.method, self.checkpoint, self.pretrained, training, *own))

    @property
    def virtual_tokens(self) -> int:
        """Trained vectors that PEFT's prompts put before each text, which has so many positions fewer."""
        count = (self.peft or {}).get("num_virtual_tokens")
        return count if isinstance(count, int) else 0


@dataclass(frozen=True)
class Pack:
    """Runs of one architecture and one method that train at once, stacked into one module.

    `estimate` is what was expected of it before it began.
    """

    runs: tuple[Run, ...]
    estimate: Estimate | None = None


#: An arm at one training-set size: it has a grid point of its own.
Cell = tuple[str, Size]


def expand_runs(study: Study, chosen: Mapping[Cell, GridPoint] | None = None) -> tuple[Run, ...]:
    """Every run of the study that is known by now: seeds outermost, so that a study stopped early has whole
    comparisons; those for tuning first.

    Args:
        chosen: the grid points that tuning has chosen so far, by arm and size. The judged runs of the other
            arms that are tuned by seeds of their own are not known yet.

    Raises:
        StudyError: where an arm differs from its control in more than its initialisation and method.
    """
    check_control(study)
    return (*_expand_tuning(study), *_expand_judged(study, chosen or {}))


def _list_cells(study: Study) -> Iterator[Cell]:
    """Each arm at each size, size by size."""
    return ((arm, size) for size in study.sizes for arm in study.arms)


def _expand_tuning(study: Study) -> Iterator[Run]:
    """The whole grid of each arm that is tuned by seeds of its own, with these."""
    seeds = {name: get_tuning_seeds(study, arm) for name, arm in study.arms.items()}
    for seed in dict.fromkeys(seed for of_arm in seeds.values() for seed in of_arm):
        for name, size in _list_cells(study):
            for point in list_grid_points(study, study.arms[name]) if seed in seeds[name] else ():
                yield _make_run(study, name, size, seed, point, for_tuning=True)


def _expand_judged(study: Study, chosen: Mapping[Cell, GridPoint]) -> Iterator[Run]:
    for seed in study.seeds:
        for name, size in _list_cells(study):
            for point in _list_judged_points(study, (name, size), chosen):
                yield _make_run(study, name, size, seed, point)


def _list_judged_points(study: Study, cell: Cell, chosen: Mapping[Cell, GridPoint]) -> tuple[GridPoint, ...]:
    """The grid points at which the study's seeds train: the chosen one, or all where they choose."""
    arm = study.arms[cell[0]]
    if not get_tuning_seeds(study, arm):
        return list_grid_points(study, arm)
    return (chosen[cell],) if cell in chosen else ()


def find_run(
    study: Study, arm: str, size: Size, seed: int, point: GridPoint = (), *, for_tuning: bool = False
) -> Run | None:
    """The run that is told from others by these; None where the study can have no such run."""
    if arm not in study.arms or size not in study.sizes:
        return None
    settings = study.arms[arm]
    seeds = get_tuning_seeds(study, settings) if for_tuning else study.seeds
    if seed not in seeds or point not in list_grid_points(study, settings):
        return None
    return _make_run(study, arm, size, seed, point, for_tuning=for_tuning)


def _make_run(
    study: Study, name: str, size: Size, seed: int, point: GridPoint, *, for_tuning: bool = False
) -> Run:
    arm = study.arms[name]
    traits = get_method_traits(arm.method)
    return Run(
        arm=name,
        size=size,
        seed=seed,
        method=arm.method,
        checkpoint=get_checkpoint(study, arm) if traits.has_checkpoint else "",
        pretrained=is_pretrained(arm),
        training=resolve_training(study, arm).model_copy(update=dict(point)),
        grid_point=point,
        lora=arm.lora,
        probe=arm.probe,
        peft=arm.peft,
        for_tuning=for_tuning,
        start=get_partial_start(arm),
        adapted=is_adapted(arm),
    )
