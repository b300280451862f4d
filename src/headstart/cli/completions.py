"""Completes words for the shell: arms of a study at hand, keys of files, metrics and topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import typer

#: A study's file in its folder, where the arms stand.
_STUDY_FILE: Final = "study.yaml"


def complete_arms(ctx: typer.Context, incomplete: str) -> list[str]:
    """The arms of the study whose folder, or file, stands before on the command line."""
    places = (ctx.params.get(name) for name in ("study", "source", "sources", "folder"))
    given = next(filter(None, places), ())
    # Words that stand before an option without its value are not told apart yet.
    words = [*([given] if isinstance(given, str | Path) else given), *ctx.args]
    return _select((arm for place in words for arm in _list_arms(Path(place))), incomplete)


def _list_arms(place: Path) -> Iterator[str]:
    from headstart.config.load import load_study
    from headstart.errors import HeadstartError

    try:
        yield from load_study(place / _STUDY_FILE if place.is_dir() else place).arms
    except HeadstartError:  # no study, or a table: it completes nothing
        return


def complete_runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The runs that are done, or failed, of the study whose folder stands before."""
    folder = ctx.params.get("study")
    if folder is None:
        return []
    from headstart.store.layout import StudyLayout
    from headstart.store.records import list_record_files

    layout = StudyLayout(Path(folder))
    files = list_record_files(layout)
    return _select((file.parent.relative_to(layout.runs_folder).as_posix() for file in files), incomplete)


def complete_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of a study file, such as `training.epochs=`."""
    from headstart.config.problems import list_paths

    return [] if "=" in incomplete else _select((f"{path}=" for path in list_paths()), incomplete)


def complete_pretraining_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of a pretraining file, such as `training.steps=`."""
    from headstart.config.pretraining import Pretraining
    from headstart.config.problems import list_paths

    return [] if "=" in incomplete else _select((f"{path}=" for path in list_paths(Pretraining)), incomplete)


def complete_topics(ctx: typer.Context, incomplete: str) -> list[str]:
    """What `explain` has a page about."""
    return _select(["lora"], incomplete)


def complete_metrics(ctx: typer.Context, incomplete: str) -> list[str]:
    """Metrics of any task."""
    from headstart.config.traits import TASKS

    return _select((metric for traits in TASKS.values() for metric in traits.metrics), incomplete)


def _select(names: Iterable[Any], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(map(str, names)) if name.startswith(incomplete)]
