"""Holds a study's arms, or the scores in a file, against a control with all the certainty there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.config.load import load_study
from headstart.errors import HeadstartError
from headstart.records import RunRecord, SummaryRow, Until, WorthRow
from headstart.report.contrasts import Pair, against_control, contrast_record, held_against, worths_of
from headstart.report.findings import gather
from headstart.report.meaning import TWO_SEEDS
from headstart.report.numbers import unit
from headstart.report.score_file import read_scores
from headstart.report.scores import Scores
from headstart.stats.sequence import fewest_seeds
from headstart.store.runs import RunStore


@dataclass(frozen=True)
class Comparison:
    """Scores of one metric, summed up by arm and size, and each arm's contrast with its control.

    `control` is None where two studies are compared: an arm's is then its namesake in the first.
    """

    source: str
    metric: str
    control: str | None
    scores: tuple[Scores, ...]
    summaries: tuple[SummaryRow, ...]
    contrasts: tuple[Pair, ...]
    margin: float | None
    label_worth: tuple[WorthRow, ...] = ()
    step_worth: tuple[WorthRow, ...] = ()
    until: Until | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for `--json`; scores as they are, 0.825 and not 82.5."""
        return {
            "source": self.source,
            "metric": self.metric,
            "control": self.control,
            "margin": self.margin,
            "until_decided": self.until.model_dump() if self.until else None,
            "summary": [row.model_dump() for row in self.summaries],
            "contrasts": [contrast_record(*own, self.metric).model_dump() for own in self.contrasts],
            "label_worth": [row.model_dump() for row in self.label_worth],
            "step_worth": [row.model_dump() for row in self.step_worth],
        }


def compare(
    source: str | Path,
    *,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the arms of a study's folder, or of a table with columns arm, seed and a metric.

    Args:
        source: `<out>` of a study, or a CSV, TSV, JSON Lines or Parquet file; a column `size` is optional,
            and shares above 1 are taken as percentages.
        metric: the study's, or the only further column, by default.
        control: the study's by default; of a table `random`, or else its first arm.
        margin: differences within this are none that matter: points for shares (0.5 is half a point), else
            in the metric's own unit.
        seed: of the bootstrap and of sampled sign flips.

    Raises:
        HeadstartError: there are no scores, no such metric or control, or a row that cannot be read.
    """
    read = _read(Path(source), metric)
    found, metric = read.found, read.metric
    control = control or read.control
    arms = list(dict.fromkeys(one.arm for one in found))
    if control not in arms:
        raise HeadstartError(
            f"no arm is called {control!r}", where="--control", expected=f"one of {', '.join(arms)}"
        )
    summaries, made = held_against(
        found,
        against_control(found, control),
        metric,
        seed,
        margin=margin,
        is_sequential=read.until is not None,
    )
    labels, steps = worths_of(found, read.runs, control, metric, seed)
    return Comparison(
        source=str(source),
        metric=metric,
        control=control,
        scores=tuple(found),
        summaries=summaries,
        contrasts=made,
        margin=margin,
        label_worth=labels,
        step_worth=steps,
        until=read.until,
    )


def compare_studies(
    one: str | Path,
    other: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two studies on the same test texts: each arm of `other` with its namesake in `one`.

    Raises:
        HeadstartError: as `compare`; they were tested on other texts, or share no arm.
    """
    first = _read(Path(one), metric)
    metric = first.metric
    second = _read(Path(other), metric)
    found = [*first.found, *second.found]
    if len({scores.tested_on for scores in found} - {None}) > 1:
        raise HeadstartError(
            "the two were tested on other texts, so their scores cannot be paired",
            where=f"{one} and {other}",
            expected="the same test file, in the same order",
        )
    there = {(scores.arm, scores.size): scores for scores in first.found}
    pairs = [(scores, there[key]) for scores in second.found if (key := (scores.arm, scores.size)) in there]
    if not pairs:
        raise HeadstartError("they share no arm of the same size", where=f"{one} and {other}")
    for letter, read in (("A", first), ("B", second)):
        for each in read.found:
            each.arm = f"{each.arm} ({letter})"
    until = first.until or second.until
    summaries, made = held_against(found, pairs, metric, seed, margin=margin, is_sequential=until is not None)
    return Comparison(
        source=f"A {one}, B {other}",
        metric=metric,
        control=None,
        scores=tuple(found),
        summaries=summaries,
        contrasts=made,
        margin=margin,
        until=until,
    )


@dataclass(frozen=True)
class _Read:
    """What a folder or a table holds of one metric; of a table no `runs` are known."""

    found: list[Scores]
    metric: str
    control: str
    runs: Sequence[RunRecord] = ()
    until: Until | None = None


def _read(path: Path, metric: str | None) -> _Read:
    if not path.exists():
        raise HeadstartError(
            "no such file or folder",
            where=str(path),
            expected="the `out` folder of `headstart run`, or a file with columns arm, seed and a metric",
        )
    return _of_study(path, metric) if path.is_dir() else _Read(*read_scores(path, metric))


def _of_study(folder: Path, metric: str | None) -> _Read:
    store = RunStore(folder)
    if not store.study_file.is_file():
        raise HeadstartError(
            "holds no study", where=str(folder), expected="the `out` folder of `headstart run`"
        )
    study = load_study(store.study_file)
    gathered = gather(study, list(store.records()), ())
    metric = metric or study.metric
    if metric not in gathered.metrics:
        raise HeadstartError(
            f"no run has a test {metric!r}",
            where="--metric",
            expected=f"one of {', '.join(gathered.metrics) or 'none: no run is done'}",
        )
    found = gathered.scores(metric, store.predictions)
    control = study.control_arm or found[0].arm
    return _Read(found, metric, control, gathered.all_chosen, store.until())


def sentences(made: Comparison) -> Iterator[str]:
    """What the contrasts rest on, said out loud."""
    yield from _of_seeds(made) if made.until is None else _of_the_sequence(made, made.until)
    if any(own.texts is None for *_, own in made.contrasts):
        yield "Test texts are not known here: intervals are about these very texts."
    undecided = [own for *_, own in made.contrasts if own.verdict == "undecided" and own.binds]
    if made.until is None and any(own.binds == "texts" for own in undecided):
        yield "Where nothing is decided and the texts bind, more seeds cannot help: more test texts would."


def _of_seeds(made: Comparison) -> Iterator[str]:
    few = {own.n: own.least for *_, own in made.contrasts}
    for seeds, least in few.items():
        if seeds == 1:
            yield "One seed says nothing about chance: no interval."
        elif seeds == 2:
            yield TWO_SEEDS
        elif least > 0.05:
            yield (
                f"With {seeds} paired seeds a test of signs cannot go below p = {least:.3g}: verdicts rest "
                "on differences being roughly normal. With 6 seeds it can reach 0.031."
            )


def _of_the_sequence(made: Comparison, until: Until) -> Iterator[str]:
    yield (
        f"Seeds were added until intervals were narrower than {until.width:g} {unit(until.metric)} (at most "
        f"{until.most_seeds} seeds): verdicts follow the interval that holds whenever one stops, of the "
        "median over seeds on these very test texts. p values take the number of seeds as given, so none "
        "are shown."
    )
    if any(own.sequence_low is None for *_, own in made.contrasts):
        yield f"It needs {fewest_seeds(len(made.contrasts))} seeds or more."
