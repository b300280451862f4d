"""Opens files of items by arm, and chooses the task and the metric that arms are compared by."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from headstart.analysis.item_files.base import ItemFile
from headstart.analysis.item_files.registry import describe_formats, find_item_files
from headstart.errors import HeadstartError
from headstart.os_faults import check_lookup
from headstart.stages import tell_stage
from headstart.wording import format_names

#: Names of items, tasks or metrics that a message lists.
_LISTED: Final = 5
#: By arm, its files; of a table with several arms, each has a part.
ArmFiles = dict[str, list[ItemFile]]


@dataclass(frozen=True)
class NamedPath:
    """A file or folder that the user gave, and the arm that it is to be called, if they said so."""

    path: Path
    arm: str | None = None

    @classmethod
    def parse(cls, text: str) -> NamedPath:
        """`PATH`, or `NAME=PATH`; what is there under the whole text is a path."""
        name, _, path = text.partition("=")
        named = cls(Path(path), name) if name and path and not os.path.lexists(text) else cls(Path(text))
        check_lookup(named.path)
        return named


def open_item_files(paths: Sequence[NamedPath], task: str | None) -> ArmFiles:
    """By arm, its files of one task.

    Raises:
        HeadstartError: there are no items, or fewer than two arms; a task or an arm's name is needed.
    """
    by_arm = _split_arms([_read_path(path) for path in paths])
    if len(by_arm) < 2:
        raise HeadstartError(
            f"one arm: {', '.join(by_arm)}",
            where=", ".join(str(path.path) for path in paths),
            expected="at least two arms: a file or folder each, or a table with column arm",
        )
    return {arm: _choose_task(arm, files, task) for arm, files in by_arm.items()}


def _read_path(given: NamedPath) -> list[ItemFile]:
    """The files of one path, with the arm's name where one was given."""
    tell_stage(f"reading {given.path}")
    if not given.path.exists():
        raise HeadstartError(
            "no such file or folder", where=str(given.path), expected=f"items: {describe_formats()}"
        )
    files = [reader.read(file) for file, reader in find_item_files(given.path)]
    if not files:
        raise HeadstartError("contains no items", where=str(given.path), expected=describe_formats())
    if given.arm is None:
        return files
    inside = {arm for file in files for arm in file.rows.list_arms()} - {None}
    if len(inside) > 1:
        raise HeadstartError(
            f"{given.arm}={given.path} holds arms {format_names(sorted(map(str, inside)), _LISTED)}",
            where=str(given.path),
            expected="one arm per NAME=PATH",
        )
    return [replace(file, arm=given.arm, rows=file.rows.without_arms()) for file in files]


def _split_arms(paths: Sequence[Sequence[ItemFile]]) -> ArmFiles:
    """By arm, its files; a table with several arms is in each of these, with their rows."""
    by_arm: ArmFiles = {}
    origins: dict[str, int] = {}
    for number, files in enumerate(paths):
        for file in files:
            for arm, rows in file.rows.split_arms(file.arm or file.file.stem).items():
                if origins.setdefault(arm, number) != number:
                    raise HeadstartError(
                        f"another arm is called {arm!r}: {by_arm[arm][0].file}",
                        where=str(file.file),
                        expected="a unique name for each arm",
                        fix=f"NAME={file.file}",
                    )
                by_arm.setdefault(arm, []).append(replace(file, arm=arm, rows=rows))
    return by_arm


def _choose_task(arm: str, files: Sequence[ItemFile], task: str | None) -> list[ItemFile]:
    """The arm's files of one task."""
    tasks = list(dict.fromkeys(file.task for file in files))
    wanted = task if task is not None else (tasks[0] if len(tasks) == 1 else None)
    chosen = [file for file in files if file.task == wanted or (len(tasks) == 1 and tasks[0] is None)]
    if not chosen:
        raise HeadstartError(
            f"{arm} has no task {task!r}" if task else f"{arm} has {len(tasks)} tasks",
            where=str(files[0].file.parent),
            expected=f"one of {format_names([str(t) for t in tasks], _LISTED)}",
            fix="--task NAME",
        )
    # Rows of a table say of which seed they are; two files of a library's could be anything.
    if len(chosen) > 1 and not all(file.has_seeds and file.task is None for file in chosen):
        raise HeadstartError(
            f"{arm} has {len(chosen)} files of {wanted or 'its task'}: "
            f"{format_names([file.file.name for file in chosen], _LISTED)}",
            where=str(chosen[0].file.parent),
            expected="one for each arm",
            fix=f"name the file: NAME={chosen[-1].file}",
        )
    return chosen


def describe_tasks(chosen: Mapping[str, Sequence[ItemFile]]) -> Iterator[str]:
    """A sentence where arms were tested by other tasks, such as with other numbers of shots."""
    tasks = {arm: files[0].task for arm, files in chosen.items()}
    if len(set(tasks.values())) > 1:
        yield f"Tasks differ: {'; '.join(f'{arm} {task}' for arm, task in tasks.items())}."


def choose_metric(chosen: Mapping[str, Sequence[ItemFile]], metric: str | None) -> str:
    """The one asked for, or the only one that all arms have."""
    of_arms = {arm: _list_metrics(files) for arm, files in chosen.items()}
    shared = [name for name in next(iter(of_arms.values())) if all(name in m for m in of_arms.values())]
    if metric in shared:
        return str(metric)
    if metric is None and len(shared) == 1:
        return shared[0]
    first = next(iter(chosen.values()))[0].file
    if metric is None:
        got = f"metrics {format_names(shared, _LISTED)}" if shared else "no metric common to all arms"
        lists = "; ".join(f"{arm}: {format_names(names, _LISTED)}" for arm, names in of_arms.items())
        raise HeadstartError(
            got, where=str(first), expected="one" if shared else f"one in all of {lists}", fix="--metric NAME"
        )
    lacking = next(arm for arm, names in of_arms.items() if metric not in names)
    raise HeadstartError(
        f"{lacking} has no metric {metric!r}",
        where=str(chosen[lacking][0].file),
        expected=f"one of {format_names(shared or of_arms[lacking], _LISTED)}",
        fix="--metric NAME",
    )


def _list_metrics(files: Iterable[ItemFile]) -> list[str]:
    """Those with a score of some item; columns of words are none."""
    columns = (column for file in files for column in file.rows.values.items())
    return list(dict.fromkeys(name for name, column in columns if column.is_score_like))
