"""Tasks, one file and one object each: losses, metrics, prediction columns, and what models are asked."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from headstart.config.traits import TaskName, get_task_traits

if TYPE_CHECKING:
    from headstart.tasks.base import Task


def load_task(name: TaskName) -> Task:
    """The object of a task that is registered in `config.traits`."""
    task: Task = resolve_name(get_task_traits(name).implementation)
    return task
