"""What a study will cost, as plain types: what `plan` shows and plan.json holds. Computes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from headstart.config.runs import Pack
from headstart.planning.placement import Placement
from headstart.records import Gpu, Parameters, Range

#: What CUDA takes of a GPU for each process that computes there, apart from all that torch reserves: its
#: context and the code of kernels.
CONTEXT_BYTES: Final = 500 << 20


@dataclass(frozen=True)
class DiskCost:
    """Bytes that the folder takes in the end, that an unfinished run keeps there, and that are free."""

    output_bytes: int
    state_bytes: int
    free_bytes: int

    def to_dict(self) -> dict[str, int]:
        """For JSON."""
        return {
            "bytes": self.output_bytes,
            "state_bytes": self.state_bytes,
            "free_bytes": self.free_bytes,
        }


@dataclass(frozen=True)
class MeasuredSteps:
    """Real steps of `runs` runs as one: the most bytes that a process held and reserved on its GPU, if it
    has one, and the seconds of a step."""

    memory_bytes: int
    seconds_per_step: float
    runs: int
    device_memory_bytes: int | None = None


@dataclass(frozen=True)
class GroupCost:
    """Runs, by their keys, that can train as one, or the reason why each is `alone`.

    `memory_bytes` is what a process is expected to hold that trains `pack` of them as one on a CPU,
    `device_memory_bytes` what torch is expected to reserve on a GPU, None where that is not known; `measured`
    what real steps took, where some were made.
    """

    runs: tuple[str, ...]
    alone: str | None
    pack: int
    memory_bytes: Range | None
    measured: MeasuredSteps | None = None
    device_memory_bytes: Range | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "runs": list(self.runs),
            "alone": self.alone,
            "pack": self.pack,
            "memory_bytes": _dump(self.memory_bytes),
            "device_memory_bytes": _dump(self.device_memory_bytes),
        } | ({"measured": asdict(self.measured)} if self.measured else {})


@dataclass(frozen=True)
class AdaptingCost:
    """What checkpoints are pretrained further, `count` times, before the runs: steps and tokens of each time.

    `memory_bytes` is what weights, gradients and moments take, the least that is needed. `seconds` are of all
    together, None where nothing was timed; `can_time` says whether `--probe` would.
    """

    count: int
    steps: int
    tokens: int
    memory_bytes: int
    can_time: bool
    seconds: Range | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        sizes = {name: getattr(self, name) for name in ("count", "steps", "tokens", "memory_bytes")}
        return sizes | {"seconds": _dump(self.seconds)}


@dataclass(frozen=True)
class StudyCost:
    """What the runs that are left will cost.

    `parameters` are by arm, None where they are not known. `gpus` are those that train, none on a CPU.
    `placement`, `seconds` and `packs` are known once steps were timed; `seconds` are without `adapting`.
    """

    parameters: dict[str, Parameters | None]
    groups: tuple[GroupCost, ...]
    free_memory: int
    disk: DiskCost
    placement: Placement | None = None
    seconds: Range | None = None
    packs: tuple[Pack, ...] | None = None
    gpus: tuple[Gpu, ...] = ()
    adapting: AdaptingCost | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "parameters": {arm: _dump(of_arm) for arm, of_arm in self.parameters.items()},
            "groups": [group.to_dict() for group in self.groups],
            "cost": {
                "memory": {"free_bytes": self.free_memory},
                "gpus": [gpu.model_dump() for gpu in self.gpus],
                "disk": self.disk.to_dict(),
                "seconds": _dump(self.seconds),
                "adapting": self.adapting.to_dict() if self.adapting else None,
                "placement": _dump_placement(self.placement) if self.placement else None,
                "packs": None if self.packs is None else [_dump_pack(pack) for pack in self.packs],
            },
        }


def _dump(record: Range | Parameters | None) -> dict[str, Any] | None:
    return record.model_dump() if record else None


def _dump_placement(placement: Placement) -> dict[str, Any]:
    names = ("workers", "threads", "pack", "reason")
    return {name: getattr(placement, name) for name in names}


def _dump_pack(pack: Pack) -> dict[str, Any]:
    assert pack.estimate is not None
    return {"runs": [run.key for run in pack.runs], **pack.estimate.model_dump()}
