"""The rows of what records say together: summaries, outcomes, grids, contrasts, tiers and worth."""

from __future__ import annotations

from typing import Literal

from headstart.records.base import Record
from headstart.records.collapse import CollapsedArm

BeyondRange = Literal["more than the largest", "less than the smallest"] | None


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
    """What became of the runs of an arm, and how many of those that ended collapsed to one answer.

    Of `n_runs` runs `n_failed` did not end. Of the others `n_collapsed` collapsed (`analysis.collapsed`);
    `collapsed_low` and `collapsed_high` are Wilson's 95% interval for the share of such runs, and `collapse`
    says what these have in common, null where none did. `pretrained`: it starts from pretrained weights.
    `majority` is the share of the test that is of its most frequent class. Null where no run ended, or its
    predictions are not known, or it has no labels.
    """

    arm: str
    size: int | Literal["all"]
    n_runs: int
    n_failed: int
    pretrained: bool = False
    n_collapsed: int | None = None
    majority: float | None = None
    collapsed_low: float | None = None
    collapsed_high: float | None = None
    collapse: CollapsedArm | None = None


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
    """As `stats.compared.SeedDifference`, of the seed named."""

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
    """The difference between an arm and its control, as `stats.compared.PairedComparison` has it.

    `test_examples` is null where scores by example are not known. `test_groups` is the number of groups that
    these examples are in, null where each is by itself. `holds_for` says in words for which training examples
    the verdict holds, null where they are not known. `n_control_seeds` is null where arms are paired by
    seed; else they share none, and the contrast is Welch's of `n_seeds` and `n_control_seeds`. `n_looks` is
    how many looks at the results the intervals for all contrasts allow for, this one among them.

    `n_collapsed` and `n_control_collapsed` are how many runs of either collapsed, null where it is not known.

    Ends of differences between figures that have ends stay within what is possible, 1 for shares. `one_run`
    is null with one seed, `relative_errors` where arms are not both near their ceiling or share no two seeds;
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
    n_collapsed: int | None = None
    n_control_collapsed: int | None = None
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
    """An arm's place among all that are compared, by contrasts that hold at once for all pairs.

    `may_be_best`: no other is better at that level; `beaten_by` are those that are. `tier` is 1 for arms that
    none beats, and else one more than the lowest tier among those that beat it. `rank_low` and `rank_high`
    are the ends of its rank's interval.
    """

    arm: str
    metric: str
    mean: float
    may_be_best: bool
    beaten_by: tuple[str, ...]
    tier: int
    rank_low: int
    rank_high: int


class ArmCost(Record):
    """What a run of an arm took, by the records of `n_runs` runs at one size.

    `seconds` and `joules` are means over runs; of those that trained together each has an equal part.
    `memory_bytes` is the most that a process held which trained up to `together` of them at once, on a GPU
    what torch reserved there. `parameters` are those trained. Null where no record tells.
    """

    arm: str
    n_runs: int
    parameters: int | None
    seconds: float
    memory_bytes: int | None
    together: int = 1
    joules: float | None = None


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
