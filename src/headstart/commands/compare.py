"""`headstart compare`: compares arms of a study, of a file of scores or of items, or two studies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from headstart.analysis.collapsed import mark_contrasts
from headstart.analysis.comparison import Comparison
from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.item_files.registry import describe_formats, find_item_files, find_reader
from headstart.analysis.item_scores import ItemScores, read_item_scores
from headstart.analysis.item_sources import NamedPath
from headstart.analysis.judging import Judging
from headstart.analysis.ranking import mark_ranking, rank_arms
from headstart.analysis.score_sources import ScoreSource, is_study, open_source
from headstart.analysis.scores import ArmScores
from headstart.analysis.tiers import find_tiers, list_pairs
from headstart.analysis.worth import estimate_worths
from headstart.errors import HeadstartError
from headstart.records import Margin, OutcomeRow, StoppingRule


def compare_sources(
    sources: Sequence[str],
    *,
    task: str | None = None,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
    shared_items: bool = False,
) -> Comparison:
    """What `headstart compare` does: one study or table of scores, two studies, or files of items.

    Raises:
        HeadstartError: as `compare`, `compare_studies` and `compare_items`; sources are of different kinds.
    """
    if any(holds_items(source) for source in sources):
        return compare_items(
            sources,
            task=task,
            metric=metric,
            control=control,
            margin=margin,
            seed=seed,
            lower_is_better=lower_is_better,
            shared_items=shared_items,
        )
    _check_no_items(sources, control, task, shared_items)
    if len(sources) == 2:
        first, second = sources
        return compare_studies(
            first, second, metric=metric, margin=margin, seed=seed, lower_is_better=lower_is_better
        )
    return compare(
        sources[0], metric=metric, control=control, margin=margin, seed=seed, lower_is_better=lower_is_better
    )


def _check_no_items(
    sources: Sequence[str], control: str | None, task: str | None, shared_items: bool
) -> None:
    """See that studies and tables of scores are not asked for what items alone have."""
    missing = next((source for source in sources if not Path(source).exists()), None)
    if len(sources) > 2 or missing:
        raise HeadstartError(
            "no such file or folder" if missing else f"{len(sources)} sources without per-item results",
            where=missing or sources[0],
            expected=f"one study or table of scores, two studies, or items: {describe_formats()}",
        )
    if len(sources) == 2 and control is not None:
        raise HeadstartError(
            "two studies are compared arm by arm, by name",
            where="--control",
            expected="one study, or no control",
        )
    for option, is_given in (("--task", task is not None), ("--shared-items", shared_items)):
        if is_given:
            raise HeadstartError(
                f"{sources[0]} has no per-item results", where=option, expected=f"items: {describe_formats()}"
            )


def holds_items(source: str | Path) -> bool:
    """Whether a path, or `NAME=PATH`, is of results item by item: no study, and no table of scores."""
    named = NamedPath.parse(str(source))
    if named.arm is not None:
        return True
    if named.path.is_dir():
        return not is_study(named.path) and any(True for _ in find_item_files(named.path))
    return named.path.is_file() and find_reader(named.path) is not None


def compare(
    source: str | Path,
    *,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
) -> Comparison:
    """Compare the arms of a study's folder, or of a table with columns arm, seed and a metric.

    Example:
        comparison = headstart.compare("runs/study", margin=1.0)
        print(comparison)  # the tables of the command line
        for row in comparison.contrasts:
            print(row.arm, row.difference, row.low, row.high, row.verdict)
        comparison.frame()  # pandas: a row for each contrast

    Args:
        source: `<out>` of a study, or a CSV, TSV, JSON Lines or Parquet file; a column `size` is optional,
            and shares are fractions, or all of them percentages.
        metric: the study's, or the only further column, by default.
        control: the study's by default; of a table `random`, or else its first arm.
        margin: differences within this are none that matter: points for shares (0.5 is half a point), else
            in the metric's own unit; in place of the one that the study file states.
        seed: of the bootstrap and of sampled sign flips.
        lower_is_better: which way a metric is better whose name does not tell.

    Raises:
        HeadstartError: there are no scores, no such metric or control, or a row that cannot be read; it is
            not known which way the metric is better.
    """
    opened = open_source(Path(source), metric, lower_is_better)
    scores, control = opened.scores, opened.check_control(control)
    stated = _choose_margin(opened.margin, margin)
    judging = replace(opened.judging, margin=stated.value if stated else None)
    compared = compare_pairs(scores, pair_with_control(scores, control), judging, seed)
    worth = estimate_worths(scores, opened.runs, control, opened.metric, seed)
    ranking = rank_arms(scores, judging, left_out=opened.left_out, runs=opened.runs, seed=seed)
    return Comparison(
        source=str(source),
        info=opened.metric,
        control=control,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=mark_contrasts(compared.contrasts, opened.outcomes),
        label_worth=worth.labels,
        step_worth=worth.steps,
        stopping_rule=opened.stopping_rule,
        earlier_looks=opened.earlier_looks,
        grid_choice=opened.grid_choice,
        notes=opened.notes,
        outcomes=opened.outcomes,
        ranking=mark_ranking(ranking, opened.outcomes),
        answers=opened.answers,
        reference=opened.reference,
    )


def compare_items(
    sources: Sequence[str | Path],
    *,
    task: str | None = None,
    metric: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
    shared_items: bool = False,
) -> Comparison:
    """Compare arms item by item: a table of items, or files of lm-evaluation-harness, Inspect or lighteval.

    Two arms, or arms with a control that is named, have contrasts; else each two are compared, and `tiers`
    say which may be the best. Where arms have a single run, what is compared are these very models.

    Example:
        comparison = headstart.compare_items(["old=a/samples.jsonl", "new=b/samples.jsonl"], metric="acc")
        comparison.frame("tiers")

    Args:
        sources: a file or folder for each arm, `NAME=PATH` to call it so, or one that holds all.
        task: needed where there are several; `metric` likewise.
        control: of two arms the first, by default.
        margin: as in `compare`; `seed` and `lower_is_better` likewise.
        shared_items: whether items that an arm lacks are left out of all.

    Raises:
        HeadstartError: as `analysis.item_scores.read_item_scores`; there is no such control.
    """
    items = read_item_scores(
        [NamedPath.parse(str(source)) for source in sources],
        task=task,
        metric=metric,
        lower_is_better=lower_is_better,
        shared_items=shared_items,
    )
    control = _choose_item_control(items, control)
    stated = _choose_margin(None, margin)
    of_models = all(len(scores.by_seed) == 1 for scores in items.scores)
    judging = Judging(items.metric, stated.value if stated else None, of_models=of_models)
    pairs = pair_with_control(items.scores, control) if control else list_pairs(items.scores)
    compared = compare_pairs(items.scores, pairs, judging, seed)
    return Comparison(
        source=", ".join(map(str, sources)),
        info=items.metric,
        control=control,
        margin=stated,
        scores=items.scores,
        summary=compared.summary,
        contrasts=compared.contrasts,
        tiers=() if control else find_tiers(compared.summary, compared.contrasts, items.metric),
        of_models=of_models,
        notes=items.notes,
    )


def _choose_item_control(items: ItemScores, control: str | None) -> str | None:
    """The one asked for; of two arms the first; of more none."""
    if control is not None and control not in items.arms:
        raise HeadstartError(
            f"no arm is called {control!r}", where="--control", expected=f"one of {', '.join(items.arms)}"
        )
    return control or (items.arms[0] if len(items.arms) == 2 else None)


def compare_studies(
    first_path: str | Path,
    second_path: str | Path,
    *,
    metric: str | None = None,
    margin: float | None = None,
    seed: int = 0,
    lower_is_better: bool | None = None,
) -> Comparison:
    """Compare two studies on the same test examples: each arm of the second with its namesake in the first.

    Example:
        print(headstart.compare_studies("runs/old", "runs/new"))

    Raises:
        HeadstartError: as `compare`; they were tested on other examples, or share no arm.
    """
    first = open_source(Path(first_path), metric, lower_is_better)
    second = open_source(Path(second_path), first.metric.name, lower_is_better)
    _check_same_test(first, second, f"{first_path} and {second_path}")
    in_first = {scores.cell for scores in first.scores}
    shared = [scores.cell for scores in second.scores if scores.cell in in_first]
    if not shared:
        raise HeadstartError("they share no arm of the same size", where=f"{first_path} and {second_path}")
    scores = (*_mark_study(first, "A"), *_mark_study(second, "B"))
    rule = _choose_rule(first, second)
    stated = _choose_margin(first.margin, margin)
    judging = replace(
        first.judging,
        margin=stated.value if stated else None,
        n_looks=1 if rule else max(first.judging.n_looks, second.judging.n_looks),
        is_sequential=rule is not None,
        sequence=rule.sequence if rule else "signs",
        # Two studies may have learnt from other texts: nothing is said of them then.
        data=first.judging.data if first.judging.data == second.judging.data else None,
    )
    pairs = [((f"{arm} (B)", size), (f"{arm} (A)", size)) for arm, size in shared]
    outcomes = (*_mark_outcomes(first, "A"), *_mark_outcomes(second, "B"))
    compared = compare_pairs(scores, pairs, judging, seed)
    return Comparison(
        source=f"A {first_path}, B {second_path}",
        info=first.metric,
        control=None,
        margin=stated,
        scores=scores,
        summary=compared.summary,
        contrasts=mark_contrasts(compared.contrasts, outcomes),
        stopping_rule=rule,
        earlier_looks=max(first.earlier_looks, second.earlier_looks, key=len),
        notes=(*first.notes, *second.notes, *_compare_training_texts(first, second)),
        outcomes=outcomes,
        reference=first.reference or second.reference,
    )


def _compare_training_texts(first: ScoreSource, second: ScoreSource) -> Iterator[str]:
    """That the two answer different questions, where their seeds learn from texts in different ways."""
    ways = [source.judging.data.training_texts for source in (first, second) if source.judging.data]
    if len(set(ways)) > 1:
        yield (
            f"The studies choose training texts differently (A {ways[0]}, B {ways[1]}): differences "
            "hold for neither way alone."
        )


def _choose_rule(first: ScoreSource, second: ScoreSource) -> StoppingRule | None:
    """The rule by which either study's seeds were added; of two the one whose sequence assumes less."""
    rules = [source.stopping_rule for source in (first, second) if source.stopping_rule]
    return min(rules, key=lambda rule: rule.sequence != "signs", default=None)


def _choose_margin(of_study: Margin | None, given: float | None) -> Margin | None:
    """The one given to the command, which whoever has seen the results could choose by them; else the
    study's.

    Raises:
        HeadstartError: it is not above zero.
    """
    if given is None or (of_study and of_study.value == given):
        return of_study
    if not 0 < given < math.inf:
        raise HeadstartError(f"{given:g}", where="--margin", expected="a number above 0")
    return Margin(value=given, stated="after the results")


def _check_same_test(first: ScoreSource, second: ScoreSource, where: str) -> None:
    if len({scores.test_digest for scores in (*first.scores, *second.scores)} - {None}) > 1:
        raise HeadstartError(
            "the two were tested on different examples, so their scores cannot be paired",
            where=where,
            expected="the same test file, in the same order",
        )


def _mark_study(source: ScoreSource, letter: str) -> list[ArmScores]:
    """Its scores, each arm's name with the study's letter."""
    return [replace(scores, arm=f"{scores.arm} ({letter})") for scores in source.scores]


def _mark_outcomes(source: ScoreSource, letter: str) -> list[OutcomeRow]:
    return [row.model_copy(update={"arm": f"{row.arm} ({letter})"}) for row in source.outcomes]
