"""Compares arms item by item, from files of items that Headstart or other libraries wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headstart.analysis.comparison import Comparison
from headstart.analysis.contrasts import compare_pairs, pair_with_control
from headstart.analysis.item_scores import ItemScores, read_item_scores
from headstart.analysis.item_sources import NamedPath
from headstart.analysis.judging import Judging
from headstart.analysis.tiers import find_tiers, list_pairs
from headstart.commands.margins import choose_margin
from headstart.errors import HeadstartError


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
    stated = choose_margin(None, margin)
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
