"""The record of one run, and the parts that it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from headstart.records.base import SCHEMA_VERSION, Record, Scores, StudyWarning
from headstart.records.words import format_run_key

#: What no machine has: a placement that says more was damaged.
_MOST_WORKERS: Final = 1_024
_MOST_THREADS: Final = 65_536


class EpochPoint(Record):
    """Results of one epoch: mean training loss per example, the last learning rate, and the metrics."""

    epoch: int
    step: int
    train_loss: float
    learning_rate: float
    valid: Scores
    test: Scores | None = None
    seconds: float


class Selection(Record):
    """The rule that chose a run's epoch, in words that the table can repeat."""

    metric: str
    on: Literal["valid"] = "valid"
    rule: str


class Parameters(Record):
    """Numbers in the model, and those that training may change."""

    total: int
    trainable: int


class Execution(Record):
    """How a run was computed: what bits depend on besides the seed. `device` is `cpu`, or `cuda: ` with the
    GPU's name.

    `pack_size` is how many runs trained as one with it, itself among them; `vocabulary_rows` how many rows of
    the embedding were trained, where those that no example uses were kept out; `pinned` whether its process
    kept to processors of its own. On a GPU, `captured` says whether steps were CUDA graphs, `compiled`
    whether they were compiled, and `eager_reason` why they were not where they were to be. `parallel` is how
    `processes` trained this one run together, `ddp` or `fsdp`.
    """

    device: str
    precision: str
    threads: int
    workers: int
    pack_size: int = 1
    vocabulary_rows: int | None = None
    pinned: bool = False
    captured: bool | None = None
    compiled: bool | None = None
    eager_reason: str | None = None
    parallel: str | None = None
    processes: int = 1


class Gpu(Record):
    """A GPU by its name: bytes of memory in all, and free before this study uses it."""

    name: str
    total_bytes: int
    free_bytes: int


class Range(Record):
    """An expected range, from `low` to `high`."""

    low: float
    high: float


class Estimate(Record):
    """What a run was expected to take before it began; null where nothing was known.

    Of a run in a pack, what the whole pack takes, as its `seconds` and peaks of memory are.
    `device_memory_bytes` are those on a GPU, `memory_bytes` those of a process that trains on a CPU.
    """

    memory_bytes: Range | None = None
    device_memory_bytes: Range | None = None
    seconds: Range | None = None


class Sample(Record):
    """A prompt as a language model answered it before training and after, and whether it then stopped."""

    prompt: str
    before: str
    after: str
    stopped_before: bool
    stopped_after: bool


class Energy(Record):
    """What a run used by the machine's own counters, in joules: its process's equal part of what processor
    packages (RAPL) and its GPU (NVML) used while it trained; null where a counter is not there to be read.

    Of a run in a pack, what the whole pack used, as its `seconds` are. Memory and fans are not in it.
    """

    processor_joules: float | None = None
    gpu_joules: float | None = None

    @property
    def joules(self) -> float:
        """Of both together, as far as they are known."""
        return (self.processor_joules or 0.0) + (self.gpu_joules or 0.0)


class CheckpointDigest(Record):
    """What tells a checkpoint from others: `digest` stands for all that decides what it computes.

    `files` are the digests of its files by name, so that what was changed can be named;
    `weights` and `former` are digests that older versions noted, of the weights alone, and without files of
    tokenizers that they did not know; null where it is the same.
    """

    digest: str
    files: dict[str, str] = Field(default_factory=dict)
    weights: str | None = None
    former: str | None = None


class Provenance(Record):
    """What made a run: versions, machine, the study's commit, and digests of data and checkpoint.

    `checkpoint_files` are those of its files by name; null in records of older versions.
    """

    headstart: str
    python: str
    torch: str
    transformers: str
    numpy: str
    platform: str
    processor: str
    commit: str | None
    data_digest: str
    checkpoint_digest: str | None
    checkpoint_files: dict[str, str] | None = None
    started: str


class RunRecord(Record):
    """One run, done or failed. Its presence on disk with status `done` means the run is complete.

    `hyperparameters` are the point of the grid in a tuned arm, `resolved` the values that a run chose
    itself, such as the length limit in force, and `traceback` that of an error which is a bug. A run
    `for_tuning` only helps to choose among the points of its arm's grid: it is never tested.

    `files` are the SHA-256 of what the run left beside its record, by name; `digest` is that of the record
    itself without this key (`store.digests`). Both are filled in as it is written, and empty in records of
    older versions.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    arm: str
    size: int | Literal["all"]
    seed: int
    hyperparameters: dict[str, float] = Field(default_factory=dict)
    for_tuning: bool = False
    status: Literal["done", "failed"]
    train_examples: int
    best_epoch: int | None = None
    selection: Selection | None = None
    valid: Scores | None = None
    test: Scores | None = None
    epochs: tuple[EpochPoint, ...] = ()
    resolved: dict[str, int | float | str] = Field(default_factory=dict)
    parameters: Parameters | None = None
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    energy: Energy | None = None
    estimate: Estimate | None = None
    execution: Execution | None = None
    provenance: Provenance | None = None
    samples: tuple[Sample, ...] = ()
    warnings: tuple[StudyWarning, ...] = ()
    error: str | None = None
    traceback: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    digest: str | None = None

    @property
    def key(self) -> str:
        """As `Run.key`."""
        point = tuple(self.hyperparameters.items())
        return format_run_key(self.arm, self.size, self.seed, point, for_tuning=self.for_tuning)

    @property
    def own_seconds(self) -> float:
        """Its equal part of the time of the runs that trained as one with it."""
        return self.seconds / (self.execution.pack_size if self.execution else 1)

    @property
    def own_joules(self) -> float | None:
        """Likewise of their energy; None where no counter told it."""
        if self.energy is None:
            return None
        return self.energy.joules / (self.execution.pack_size if self.execution else 1)

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """What tells it from others, and how it ended: whole, a study's records are a million characters."""
        shown = ("best_epoch", "test") if self.status == "done" else ("error",)
        yield from ((name, getattr(self, name)) for name in ("key", "status", *shown))


class PlacementRecord(Record):
    """Where and how the runs of a folder train, so that a call that goes on trains them as the first did.

    `machine` and `runs` (arm, size and seed) say what it was chosen for, `asked` what the study asked of
    `workers` and `pack`; `packs` are those that were cut, as keys of runs.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    machine: str
    asked: dict[str, int | str]
    workers: int = Field(ge=0, le=_MOST_WORKERS)
    threads: int = Field(ge=0, le=_MOST_THREADS)
    pack: int = Field(ge=1)
    reason: str
    runs: tuple[str, ...] = ()
    packs: tuple[tuple[str, ...], ...] = ()
