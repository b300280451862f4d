"""`headstart compare`: tells by its sources what is compared: a study or a table, two studies, or items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headstart.analysis.comparison import Comparison
from headstart.analysis.item_files.registry import describe_formats, find_item_files, find_reader
from headstart.analysis.item_sources import NamedPath
from headstart.analysis.score_sources import is_study
from headstart.commands.compare import compare
from headstart.commands.compare_items import compare_items
from headstart.commands.compare_studies import compare_studies
from headstart.errors import HeadstartError


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
