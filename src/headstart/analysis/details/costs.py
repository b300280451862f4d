"""What runs took: time, memory, steps and energy by arm, and in all."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.config.study import Size


@dataclass(frozen=True)
class ArmCosts:
    """What the runs of an arm at one size took, those that chose its settings counted apart.

    `seconds` is the mean of a judged run, `total_seconds` is of all its runs, `tuning_seconds` of those that
    chose settings. Memory is the most that a process held, and torch on a GPU. `parameters` and `trainable`
    are of one model. None where no record tells.
    """

    arm: str
    size: Size
    n_runs: int
    n_tuning_runs: int
    seconds: float
    total_seconds: float
    tuning_seconds: float
    memory_bytes: int | None
    device_memory_bytes: int | None
    parameters: int | None
    trainable: int | None


@dataclass(frozen=True)
class Costs:
    """Those of all arms. `devices` are what runs were computed on, each once."""

    arms: tuple[ArmCosts, ...]
    total_seconds: float
    devices: tuple[str, ...]
