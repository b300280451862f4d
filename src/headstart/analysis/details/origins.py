"""What made a study: versions, machine, commit, digests of data and checkpoints, and how to make it again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origins:
    """What all records agree on, and where they do not each value once: `versions` by package, `platforms`,
    `processors`, `devices`, `precisions`, `commits`, `data_digests` and `checkpoint_digests` by arm.

    `study_yaml` is the study as it was run, paths below the home folder written with `~`. `commands` make it
    again.
    """

    versions: tuple[tuple[str, tuple[str, ...]], ...]
    platforms: tuple[str, ...]
    processors: tuple[str, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    commits: tuple[str, ...]
    data_digests: tuple[str, ...]
    checkpoint_digests: tuple[tuple[str, tuple[str, ...]], ...]
    started: str | None
    study_yaml: str
    commands: tuple[str, ...]
