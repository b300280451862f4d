"""Holds a study's arms, or the scores in a file, against a control with all the certainty there is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.config.load import load_study
from headstart.config.metrics import LOWER_IS_BETTER, SHARES
from headstart.config.study import Size
from headstart.data.formats import cell_of, read_cells
from headstart.errors import DataError, HeadstartError
from headstart.records import run_key
from headstart.report.findings import find
from headstart.stats.label_worth import Worth, label_worth
from headstart.stats.summary import Summary, summarise
from headstart.stats.versus import Versus, judged, versus
from headstart.store.runs import RunStore
from headstart.store.scores import text_scores, texts_digest

_OWN_COLUMNS = ("arm", "seed", "size")


@dataclass
class Scores:
    """What an arm scored with so many training `labels`, by seed; and by test text (ids) where known.

    `tested_on` tells one set of test texts from another.
    """

    arm: str
    size: Size
    labels: int | None = None
    by_seed: dict[int, float] = field(default_factory=dict)
    by_text: dict[int, Mapping[int, float]] = field(default_factory=dict)
    tested_on: str | None = None

    @property
    def extremes(self) -> tuple[int, int]:
        """The seeds of the lowest and of the highest score."""
        ordered = sorted(self.by_seed, key=lambda seed: self.by_seed[seed])
        return ordered[0], ordered[-1]


@dataclass(frozen=True)
class Comparison:
    """Scores of one metric, summed up by arm and size, and each arm's contrast with its control.

    `control` is None where two studies are compared: an arm's is then its namesake in the first.
    """

    source: str
    metric: str
    control: str | None
    scores: tuple[Scores, ...]
    summaries: tuple[Summary, ...]
    contrasts: tuple[tuple[Scores, Scores, Versus], ...]
    margin: float | None
    worth: Mapping[str, Sequence[Worth]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values, for `--json`; scores as they are, 0.825 and not 82.5."""
        return {
            "source": self.source,
            "metric": self.metric,
            "control": self.control,
            "margin": self.margin,
            "summary": [
                {"arm": s.arm, "size": s.size, **own.__dict__}
                | {"worst_seed": s.extremes[self._lower], "best_seed": s.extremes[1 - self._lower]}
                for s, own in zip(self.scores, self.summaries, strict=True)
            ],
            "contrasts": [
                {"arm": s.arm, "control": against.arm, "size": s.size} | own.facts
                for s, against, own in self.contrasts
            ],
            "label_worth": [
                {"arm": arm, "control": self.control, **_plain(one)}
                for arm, own in self.worth.items()
                for one in own
            ],
        }

    @property
    def _lower(self) -> int:
        return int(self.metric in LOWER_IS_BETTER)


def _plain(one: Worth) -> dict[str, Any]:
    """Infinite is more than the control's largest size, zero less than its smallest: null, and in words."""
    beyond = {math.inf: "more than the largest size", 0.0: "less than the smallest size"}
    facts: dict[str, Any] = {"labels": one.labels, "score": one.score}
    for name in ("worth", "low", "high"):
        value = getattr(one, name)
        facts[name] = None if value in beyond else value
        facts[f"{name}_beyond"] = None if value is None else beyond.get(value)
    return facts


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
    found, metric, usual = _read(Path(source), metric)
    control = control or usual
    arms = list(dict.fromkeys(one.arm for one in found))
    if control not in arms:
        raise HeadstartError(
            f"no arm is called {control!r}", where="--control", expected=f"one of {', '.join(arms)}"
        )
    controls = {one.size: one for one in found if one.arm == control}
    pairs = [(one, controls[one.size]) for one in found if one.arm != control and one.size in controls]
    generator = np.random.default_rng(seed)
    contrasts = _contrasts(pairs, metric, margin, generator)
    worth = dict(_worth(found, control, metric, generator))
    return Comparison(str(source), metric, control, tuple(found), _summaries(found), contrasts, margin, worth)


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
    first, metric, _ = _read(Path(one), metric)
    second, _, _ = _read(Path(other), metric)
    tested = {scores.tested_on for scores in (*first, *second)} - {None}
    if len(tested) > 1:
        raise HeadstartError(
            "the two were tested on other texts, so their scores cannot be paired",
            where=f"{one} and {other}",
            expected="the same test file, in the same order",
        )
    there = {(scores.arm, scores.size): scores for scores in first}
    pairs = [(scores, there[key]) for scores in second if (key := (scores.arm, scores.size)) in there]
    if not pairs:
        raise HeadstartError("they share no arm of the same size", where=f"{one} and {other}")
    for letter, scores in (("A", first), ("B", second)):
        for each in scores:
            each.arm = f"{each.arm} ({letter})"
    found = [*first, *second]
    contrasts = _contrasts(pairs, metric, margin, np.random.default_rng(seed))
    return Comparison(f"A {one}, B {other}", metric, None, tuple(found), _summaries(found), contrasts, margin)


def _read(path: Path, metric: str | None) -> tuple[list[Scores], str, str]:
    """The scores of a study's folder or of a table, their metric, and the usual control."""
    return _of_study(path, metric) if path.is_dir() else _of_table(path, metric)


def _summaries(found: Sequence[Scores]) -> tuple[Summary, ...]:
    return tuple(summarise(np.array(list(one.by_seed.values()))) for one in found)


def _contrasts(
    pairs: Sequence[tuple[Scores, Scores]], metric: str, margin: float | None, generator: np.random.Generator
) -> tuple[tuple[Scores, Scores, Versus], ...]:
    """Those that have a seed in common, corrected for their number, with verdicts."""
    made = [(one, against, _versus(one, against, generator)) for one, against in pairs]
    kept = [(one, against, own) for one, against, own in made if own is not None]
    scaled = margin / 100 if margin is not None and metric in SHARES else margin
    lower = metric in LOWER_IS_BETTER
    final = judged([own for *_, own in kept], lower_is_better=lower, margin=scaled)
    return tuple((one, against, own) for (one, against, _), own in zip(kept, final, strict=True))


def _worth(
    found: Sequence[Scores], control: str, metric: str, generator: np.random.Generator
) -> Iterator[tuple[str, list[Worth]]]:
    """Of each arm that was run with several numbers of labels, over the seeds that all of these have."""
    for arm in dict.fromkeys(one.arm for one in found):
        mine, theirs = ({s.labels: s for s in found if s.arm == name and s.labels} for name in (arm, control))
        labels = sorted(n for n in mine if n is not None and n in theirs)
        if arm == control or len(labels) < 2:
            continue
        cells = [scores[n] for scores in (mine, theirs) for n in labels]
        seeds = sorted(set.intersection(*(set(cell.by_seed) for cell in cells)))
        if not seeds:
            continue
        own, against = (np.array([[a[n].by_seed[s] for s in seeds] for n in labels]) for a in (mine, theirs))
        lower = metric in LOWER_IS_BETTER
        yield arm, label_worth(np.array(labels), own, against, generator, lower_is_better=lower)


def _versus(one: Scores, against: Scores, generator: np.random.Generator) -> Versus | None:
    """Over the seeds that both have; over texts too, where all of these have the same."""
    seeds = _shared(one, against)
    if not seeds:
        return None
    pair = text_table(one, against)
    if pair is not None:
        return versus(*pair, generator)
    mine, theirs = (np.array([own.by_seed[seed] for seed in seeds]) for own in (one, against))
    return versus(mine, theirs, generator)


def _shared(one: Scores, against: Scores) -> list[int]:
    return sorted(one.by_seed.keys() & against.by_seed.keys())


def text_table(one: Scores, against: Scores) -> tuple[np.ndarray, np.ndarray] | None:
    """Scores [S, N] of both over seeds that they share; None where their texts differ or are unknown."""
    seeds = _shared(one, against)
    ids = [own.by_text.get(seed, {}).keys() for own in (one, against) for seed in seeds]
    if not ids or not ids[0] or any(keys != ids[0] for keys in ids):
        return None
    texts = sorted(ids[0])
    mine, theirs = (np.array([[own.by_text[s][t] for t in texts] for s in seeds]) for own in (one, against))
    return mine, theirs


def _of_study(folder: Path, metric: str | None) -> tuple[list[Scores], str, str]:
    store = RunStore(folder)
    if not store.study_file.is_file():
        raise HeadstartError(
            "holds no study", where=str(folder), expected="the `out` folder of `headstart run`"
        )
    study = load_study(store.study_file)
    findings = find(study, list(store.records()), ())
    known = list(dict.fromkeys(row.metric for row in findings.summary))
    metric = metric or study.metric
    if metric not in known:
        raise HeadstartError(
            f"no run has a test {metric!r}",
            where="--metric",
            expected=f"one of {', '.join(known) or 'none: no run is done'}",
        )
    found = []
    for size in study.sizes:
        for arm in study.arms:
            labels = next((r.texts for r in findings.records if (r.arm, r.size) == (arm, size)), None)
            one = Scores(arm, size, labels, findings.values(arm, size, metric))
            setting = tuple((findings.setting(arm, size) or {}).items())
            for seed in one.by_seed:
                file = store.run_folder(run_key(arm, size, seed, setting)) / "predictions.parquet"
                one.tested_on = one.tested_on or texts_digest(file)
                scores = text_scores(file, metric)
                if scores is not None:
                    one.by_text[seed] = scores
            found += [one] if one.by_seed else []
    return found, metric, study.control_arm or found[0].arm


def _of_table(file: Path, metric: str | None) -> tuple[list[Scores], str, str]:
    found: dict[tuple[str, Size], Scores] = {}
    for where, cells in read_cells(file):
        metric = metric or _only_metric(cells, where)
        arm = str(cell_of(cells, "arm", where, "the column's name to arm"))
        seed = _whole(cell_of(cells, "seed", where, "the column's name to seed"), where)
        size = _size(cells.get("size", "all"))
        labels = None if size == "all" else size
        own = found.setdefault((arm, size), Scores(arm, size, labels)).by_seed
        if seed in own:
            raise DataError(
                f"{arm} has seed {seed} twice", where=where, expected="one row for each arm, size and seed"
            )
        own[seed] = _number(cell_of(cells, metric, where, "--metric"), where)
    if not found or metric is None:
        raise DataError("no rows", where=str(file), expected="columns arm, seed and a metric")
    scores = list(found.values())
    if metric in SHARES and max(value for one in scores for value in one.by_seed.values()) > 1:
        for one in scores:
            one.by_seed = {seed: value / 100 for seed, value in one.by_seed.items()}
    names = [one.arm for one in scores]
    return scores, metric, "random" if "random" in names else names[0]


def _only_metric(cells: Mapping[str, Any], where: str) -> str:
    others = [name for name in cells if name not in _OWN_COLUMNS]
    if len(others) != 1:
        raise DataError(
            f"columns {', '.join(others) or 'none'} besides arm and seed",
            where=where,
            expected="one",
            fix="--metric NAME",
        )
    return others[0]


def _whole(value: object, where: str) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise DataError(f"seed {value!r}", where=where, expected="a whole number") from error


def _size(value: object) -> Size:
    text = str(value)
    return int(text) if text.isdecimal() else "all"


def _number(value: object, where: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"score {value!r}", where=where, expected="a finite number")
    return number


def sentences(made: Comparison) -> Iterator[str]:
    """What the contrasts rest on, said out loud."""
    few = {own.n: own.least for *_, own in made.contrasts}
    for seeds, least in few.items():
        if seeds == 1:
            yield "One seed says nothing about chance: no interval."
        elif least > 0.05:
            yield (
                f"With {seeds} paired seeds a test of signs cannot go below p = {least:.3g}: verdicts rest "
                "on differences being roughly normal. With 6 seeds it can reach 0.031."
            )
    if any(own.texts is None for *_, own in made.contrasts):
        yield "Test texts are not known here: intervals are about these very texts."
    undecided = [own for *_, own in made.contrasts if own.verdict == "undecided" and own.binds]
    if any(own.binds == "texts" for own in undecided):
        yield "Where nothing is decided and the texts bind, more seeds cannot help: more test texts would."
