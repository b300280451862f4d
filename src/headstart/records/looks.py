"""What is noted of how a study was looked at: the rule by which seeds were added, and the looks."""

from __future__ import annotations

from typing import Literal

from headstart.records.base import SCHEMA_VERSION, Record


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
