"""What goes to disk about runs, as frozen types with a schema version; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

#: Of run records, `results.json`, the stopping rule and what commands print with `--json`.
SCHEMA_VERSION: Final = 2
BeyondRange = Literal["more than the largest", "less than the smallest"] | None
#: Values by metric.
Scores = dict[str, float]


def format_run_key(
    arm: str,
    size: int | str,
    seed: int,
    grid_point: tuple[tuple[str, float], ...],
    *,
    for_tuning: bool = False,
) -> str:
    """`arm/size/seed`, and where a grid is tried `/learning_rate=3e-05,weight_decay=0.1` after it.

    Of a run that only chooses among a grid's points the seed is `tuning-1000`, so that such runs stand apart
    wherever runs are listed.
    """
    values = ",".join(f"{name}={value:g}" for name, value in grid_point)
    place = f"{arm}/{size}/{'tuning-' if for_tuning else ''}{seed}"
    return f"{place}/{values}" if values else place


def format_duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def describe_wide_gaps(gaps: Sequence[tuple[int, int]], what: str) -> str:
    """A warning of neighbouring numbers of labels, or updates, that are too far apart to read between."""
    pairs = ", ".join(f"{low:,} and {high:,}" for low, high in gaps)
    return (
        f"no number of {what} between {pairs}, which are more than a factor of 3 apart: worth that is read "
        "there takes scores to rise evenly with each doubling, which they do not; add some between"
    )


class Record(BaseModel):
    """Base of all that is written: frozen, unknown keys kept out."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class StudyWarning(Record):
    """A warning about the data or a study: a short kind and a sentence."""

    kind: str
    message: str


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
    whether they were compiled, and `eager_reason` why they were not where they were to be.
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


class CheckpointDigest(Record):
    """What tells a checkpoint from others: `digest` stands for all that decides what it computes.

    `files` are the digests of its files by name, none of a hub's, so that what was changed can be named;
    `weights` is the digest that older versions noted, of the weights alone.
    """

    digest: str
    files: dict[str, str] = {}
    weights: str | None = None


class Provenance(Record):
    """What made a run: versions, machine, the study's commit, and digests of data and checkpoint.

    `checkpoint_files` are those of its files by name; null for a hub's, and in records of older versions.
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
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    arm: str
    size: int | Literal["all"]
    seed: int
    hyperparameters: dict[str, float] = {}
    for_tuning: bool = False
    status: Literal["done", "failed"]
    train_examples: int
    best_epoch: int | None = None
    selection: Selection | None = None
    valid: Scores | None = None
    test: Scores | None = None
    epochs: tuple[EpochPoint, ...] = ()
    resolved: dict[str, int | float | str] = {}
    parameters: Parameters | None = None
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    estimate: Estimate | None = None
    execution: Execution | None = None
    provenance: Provenance | None = None
    samples: tuple[Sample, ...] = ()
    warnings: tuple[StudyWarning, ...] = ()
    error: str | None = None
    traceback: str | None = None

    @property
    def key(self) -> str:
        """As `Run.key`."""
        point = tuple(self.hyperparameters.items())
        return format_run_key(self.arm, self.size, self.seed, point, for_tuning=self.for_tuning)


class PlacementRecord(Record):
    """Where and how the runs of a folder train, so that a call that goes on trains them as the first did.

    `machine` and `runs` (arm, size and seed) say what it was chosen for, `asked` what the study asked of
    `workers` and `pack`; `packs` are those that were cut, as keys of runs.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    machine: str
    asked: dict[str, int | str]
    workers: int
    threads: int
    pack: int
    reason: str
    runs: tuple[str, ...] = ()
    packs: tuple[tuple[str, ...], ...] = ()


class SummaryRow(Record):
    """One arm's test metric over its seeds; `std` is the sample's.

    `seeds_low` and `seeds_high` are a 95% t interval of the mean over seeds. `examples_low` and
    `examples_high` are a 95% interval of the mean of these models over test examples, null where examples
    are not known. `worst_seed` and `best_seed` go by which way is better. `iqm` is the interquartile mean.
    `one_more_low` and `one_more_high` are a 95% prediction interval for one more seed, on this test set.
    """

    arm: str
    size: int | Literal["all"]
    metric: str
    n_seeds: int
    mean: float
    std: float | None
    std_population: float
    seeds_low: float | None
    seeds_high: float | None
    examples_low: float | None = None
    examples_high: float | None = None
    worst_seed: int
    best_seed: int
    median: float | None = None
    iqm: float | None = None
    one_more_low: float | None = None
    one_more_high: float | None = None


class OutcomeRow(Record):
    """What became of the runs of an arm, and how many of those that ended learnt nothing.

    Of `n_runs` runs `n_failed` did not end. Of the others `n_collapsed` are right on no more of the test
    than always answering its most frequent class, a share `majority` of it; `collapsed_low` and
    `collapsed_high` are Wilson's 95% interval for the share of such runs. Null where no run ended, or the
    test's classes are not known or there are none.
    """

    arm: str
    size: int | Literal["all"]
    n_runs: int
    n_failed: int
    n_collapsed: int | None = None
    majority: float | None = None
    collapsed_low: float | None = None
    collapsed_high: float | None = None


class GridRow(Record):
    """One point of the grid that a tuned arm tried: its valid metric over the `n_seeds` seeds that ended.

    The seeds are those that choose: the arm's tuning seeds, or the study's where these choose themselves.
    """

    arm: str
    size: int | Literal["all"]
    hyperparameters: dict[str, float]
    metric: str
    n_seeds: int
    mean: float | None
    std: float | None
    n_failed: int
    chosen: bool


class JudgedPoint(Record):
    """The grid point at which a seed of a tuned arm is judged."""

    arm: str
    size: int | Literal["all"]
    seed: int
    hyperparameters: dict[str, float]


class SeedContrast(Record):
    """As `stats.paired_comparison.SeedDifference`, of the seed named."""

    seed: int
    difference: float
    low: float | None
    high: float | None
    p_mcnemar: float | None


class OneRun(Record):
    """As `stats.superiority.Superiority`: the chance that one run of the arm beats one of the control."""

    probability: float
    low: float
    high: float


class WinRate(Record):
    """As `stats.win_rates.WinRate`: how often the arm's answer to a prompt is better than its control's."""

    rate: float
    ties: float
    low: float | None
    high: float | None


class RelativeErrors(Record):
    """By which share the arm's errors are fewer than its control's: 0.2 is a fifth fewer, -0.2 a fifth more.

    `low` and `high` hold at the level of the contrast's `family_low` and `family_high`; `low` is null where
    the control may make no errors, so that the arm may make any multiple of them.
    """

    reduction: float
    low: float | None
    high: float


class Contrast(Record):
    """The difference between an arm and its control, as `stats.paired_comparison.PairedComparison` has it.

    `test_examples` is null where scores by example are not known. `test_groups` is the number of groups that
    these examples are in, null where each is by itself. `holds_for` says in words for which training texts
    the verdict holds, null where they are not known. `n_control_seeds` is null where arms are paired by
    seed; else they share none, and the contrast is Welch's of `n_seeds` and `n_control_seeds`. `n_looks` is
    how many looks at the results the intervals for all contrasts allow for, this one among them.

    Ends of differences between figures that have ends are cut at what is possible, 1 for shares. `one_run` is
    null with one seed, `relative_errors` where arms are not both near their ceiling or share no two seeds;
    both where seeds were added by a rule, as is `win_rate`, which language models alone have.
    """

    arm: str
    control: str
    size: int | Literal["all"]
    metric: str
    n_seeds: int
    n_control_seeds: int | None = None
    test_examples: int | None
    test_groups: int | None = None
    difference: float
    median_difference: float | None = None
    low: float | None
    high: float | None
    n_tests: int
    n_looks: int = 1
    family_low: float | None
    family_high: float | None
    p: float | None
    p_adjusted: float | None
    verdict: Literal["better", "worse", "no difference", "not worse", "undecided"]
    seeds_low: float | None
    seeds_high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    sequence_low: float | None
    sequence_high: float | None
    p_sign_flip: float | None
    min_p: float
    fiducial_prob_better: float | None
    limiting_factor: Literal["seeds", "examples"] | None
    each_seed: tuple[SeedContrast, ...]
    holds_for: str | None = None
    one_run: OneRun | None = None
    relative_errors: RelativeErrors | None = None
    win_rate: WinRate | None = None


class Margin(Record):
    """The difference below which none matters: points for shares, else the metric's unit; and when it was
    stated, which decides what a verdict by it is worth."""

    value: float
    stated: Literal["before the results", "after the results"]


class TierRow(Record):
    """Whether an arm may be the best of all that are compared: no other is better at the level that holds for
    all pairs at once. `beaten_by` are those that are."""

    arm: str
    metric: str
    mean: float
    may_be_best: bool
    beaten_by: tuple[str, ...]


class StoppingRule(Record):
    """The rule by which seeds were added: until each contrast of the metric is decided, or its interval is
    narrower than `width`.

    `width` is in points for shares, else in the metric's unit; there are at most `most_seeds`. `sequence` is
    what the interval is made by (`stats.sequential`).
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    metric: str
    width: float
    most_seeds: int
    sequence: Literal["signs", "t"] = "signs"


class Look(Record):
    """A `run` that ended with results of these seeds: when (UTC), by which version, and the margin that the
    study file then stated; null where that is not known, or none was."""

    time: str
    seeds: tuple[int, ...]
    headstart: str | None
    margin: float | None


class Looks(Record):
    """When a study's results were seen, each with other seeds than the one before."""

    schema_version: Literal[2] = SCHEMA_VERSION
    looks: tuple[Look, ...] = ()


class WorthRow(Record):
    """What an arm's labels, or updates, are worth in those of its control, as `stats.worth.Worth` says.

    Of `worth` and the ends of both intervals null is unknown, or beyond what the control was run with, from
    `smallest` to `largest`; then `<name>_beyond` says on which side. `below_again` is the first amount with
    which the control, having reached the score, is below it again; `wide_gaps` are neighbouring amounts of
    the control that are too far apart to read between.
    """

    arm: str
    control: str
    size: int | Literal["all"]
    metric: str
    amount: int
    score: float
    smallest: int
    largest: int
    worth: float | None
    low: float | None
    high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    worth_beyond: BeyondRange = None
    low_beyond: BeyondRange = None
    high_beyond: BeyondRange = None
    bootstrap_low_beyond: BeyondRange = None
    bootstrap_high_beyond: BeyondRange = None
    below_again: int | None = None
    wide_gaps: tuple[tuple[int, int], ...] = ()
