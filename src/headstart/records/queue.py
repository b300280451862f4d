"""What a queue of packs looks like on disk: its manifest, its lists of packs, and what their holders tell.

Whoever may write into the study's folder may have written these: every value has bounds, and what a run is
called is checked against the study before it names a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from headstart.records.base import SCHEMA_VERSION, Record
from headstart.records.run import EpochPoint, Estimate
from headstart.records.words import format_run_key

_MOST_RUNS: Final = 100_000
_MOST_LISTS: Final = 100_000
_MOST_THREADS: Final = 65_536
#: More than any pack takes.
LONGEST_SECONDS: Final = 1e9
#: More than any run's steps are.
_MOST_STEPS: Final = 2**53

Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: A name of at most so many characters: of an arm, a setting, a version.
Name = Annotated[str, Field(max_length=4096)]
PackId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class QueuedRun(Record):
    """A run of a pack: what tells it from the other runs of its study."""

    arm: Name
    size: int | Literal["all"]
    seed: int
    point: dict[Name, float] = Field(default_factory=dict)
    for_tuning: bool = False

    @property
    def key(self) -> str:
        """As `Run.key`; names a folder only once the study is known to have such a run."""
        return format_run_key(
            self.arm, self.size, self.seed, tuple(self.point.items()), for_tuning=self.for_tuning
        )


class QueuedPack(Record):
    """Runs that train as one, and the seconds after which its holder must be making steps to keep it."""

    id: PackId
    runs: tuple[QueuedRun, ...] = Field(min_length=1, max_length=_MOST_RUNS)
    deadline: Seconds
    estimate: Estimate | None = None


class PackList(Record):
    """The packs of one publication, the longest first, and the threads that each trains with (0: as torch has
    it)."""

    schema_version: Literal[2] = SCHEMA_VERSION
    queue: PackId
    threads: int = Field(ge=0, le=_MOST_THREADS)
    packs: tuple[QueuedPack, ...]


class QueueManifest(Record):
    """What workers need to know before they take a pack.

    `queue` is drawn anew by each coordinator. `study`, `data` and `checkpoints` are digests: workers train on
    the same or not at all. `precision` is that of runs that leave it open. `lists` counts the lists of packs;
    `stale_seconds` are those without a renewal after which a holder has ended.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    queue: PackId
    state: Literal["open", "closed"]
    study: Sha256
    data: Name
    checkpoints: dict[Name, Name] = Field(default_factory=dict)
    precision: Name
    versions: dict[Name, Name] = Field(default_factory=dict)
    stale_seconds: Seconds
    lists: int = Field(default=0, ge=0, le=_MOST_LISTS)


class _Told(Record):
    """Something that a run's holder tells; numbers that JSON has no word for are strings."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run: int = Field(ge=0, lt=_MOST_RUNS)


class ToldStart(_Told):
    """A run began, perhaps anew; `run` is its place in its pack."""

    kind: Literal["started"] = "started"


class ToldStep(_Told):
    """A run made a step, as `StepDone`."""

    kind: Literal["step"] = "step"
    step: int = Field(ge=1, le=_MOST_STEPS)
    total: int = Field(ge=1, le=_MOST_STEPS)
    loss: float
    learning_rate: float


class ToldEpoch(_Told):
    """A run ended an epoch, as `EpochDone`."""

    kind: Literal["epoch"] = "epoch"
    epoch: EpochPoint
    best: EpochPoint


Told = Annotated[ToldStart | ToldStep | ToldEpoch, Field(discriminator="kind")]
TOLD: Final[TypeAdapter[ToldStart | ToldStep | ToldEpoch]] = TypeAdapter(Told)


def identify_pack(keys: Iterable[str]) -> str:
    """What a pack of these runs is called, whatever their order: the same in each call."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]
