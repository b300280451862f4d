"""What made a study: versions, machine, commit, digests of data and checkpoints, and how to make it again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.config.extras import list_extras
from headstart.config.load import dump_study
from headstart.config.study import Study
from headstart.installing import PLACE, format_install
from headstart.records import RunRecord

#: Whose versions are recorded.
_PACKAGES: Final = ("headstart", "python", "torch", "transformers", "numpy")


@dataclass(frozen=True)
class Origins:
    """What all records agree on, and where they do not each value once: `versions` by package, `platforms`,
    `processors`, `devices`, `precisions`, `commits`, `data_digests` and `checkpoint_digests` by arm.

    `study_yaml` is the study as it was run, paths below the home folder written with `~`. `commands` install
    what made it, and make it again.
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


def find_origins(records: Sequence[RunRecord], study: Study) -> Origins:
    """Those of the runs with these records, and of the study."""
    made = [record.provenance for record in records if record.provenance]
    computed = [record.execution for record in records if record.execution]
    arms = dict.fromkeys(record.arm for record in records)
    versions = {name: _list_values(getattr(one, name) for one in made) for name in _PACKAGES}
    return Origins(
        versions=tuple(versions.items()),
        platforms=_list_values(one.platform for one in made),
        processors=_list_values(one.processor for one in made),
        devices=_list_values(one.device for one in computed),
        precisions=_list_values(one.precision for one in computed),
        commits=_list_values(one.commit for one in made),
        data_digests=_list_values(one.data_digest for one in made),
        checkpoint_digests=tuple((arm, digests) for arm in arms if (digests := _list_digests(records, arm))),
        started=min((one.started for one in made), default=None),
        study_yaml=hide_home(dump_study(study)),
        commands=(*_list_installing(versions["headstart"], study), "headstart run study.yaml"),
    )


def _list_installing(made_by: Sequence[str], study: Study) -> tuple[str, ...]:
    """Of the version that made all runs, from its source; of several, from none."""
    if len(made_by) != 1:
        return ()
    return f"# in {PLACE}, version {made_by[0]}", format_install(list_extras(study))


def _list_digests(records: Sequence[RunRecord], arm: str) -> tuple[str, ...]:
    made = (record.provenance for record in records if record.arm == arm and record.provenance)
    return _list_values(one.checkpoint_digest for one in made)


def _list_values(values: Iterable[str | None]) -> tuple[str, ...]:
    """Each once, in their order."""
    return tuple(dict.fromkeys(value for value in values if value))


def hide_home(text: str) -> str:
    """With paths below the home folder written with `~`: a page is read by others."""
    home = str(Path.home()).rstrip(os.sep)
    return text.replace(f"{home}{os.sep}", f"~{os.sep}") if home else text
