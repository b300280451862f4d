"""A study's output folder: its study file, a folder for each run, and each arm's best model.

A run's record is written last, so its presence with status `done` means the run is complete. A folder
that holds another study is refused, with what differs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headstart.config.expand import settings
from headstart.config.load import dump_study, load_study
from headstart.config.metrics import better
from headstart.config.study import Study
from headstart.errors import HeadstartError, OutputError
from headstart.records import RunRecord
from headstart.store.files import write_text

#: What may change between two calls on one folder: it adds runs, or touches no number.
_MAY_GROW = ("seeds", "sizes")
_FREE = ("question", "workers")


class RunStore:
    """The folder `<out>` of one study."""

    def __init__(self, out: Path) -> None:
        self.out = out

    @property
    def study_file(self) -> Path:
        """The study as it was run, every default filled in."""
        return self.out / "study.yaml"

    def check(self, study: Study) -> None:
        """See that the folder is new, empty, or holds this study; writes nothing.

        Raises:
            OutputError: it holds another study, or something else.
        """
        if self.study_file.is_file():
            _refuse_another(_earlier(self.study_file), study, self.out)
        elif self.out.exists() and not (self.out.is_dir() and not any(self.out.iterdir())):
            raise OutputError(
                "holds something else than a study",
                where=str(self.out),
                expected="an empty or new folder",
                fix="name another one: out=FOLDER",
            )

    def check_sources(self, data: str, checkpoints: frozenset[str]) -> None:
        """See that the runs that are done learnt from these very texts and checkpoints, by their digests.

        Raises:
            OutputError: a file was changed since.
        """
        for record in self.done().values():
            made = record.provenance
            if made is None:
                continue
            known = made.checkpoint is None or made.checkpoint in checkpoints
            if made.data != data or not known:
                other = "another checkpoint" if made.data == data else "other data"
                raise OutputError(
                    f"run {record.key} was made from {other}: a file was changed since",
                    where=str(self.out),
                    expected="the same files while a study grows",
                    fix="put the files back, or name another folder: out=FOLDER",
                )

    def open(self, study: Study) -> None:
        """Check the folder, create it where it is new, and write the study into it.

        Raises:
            OutputError: as `check`, or it cannot be written.
        """
        self.check(study)
        try:
            write_text(self.study_file, dump_study(study))
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", where=str(self.out)) from error

    def run_folder(self, key: str) -> Path:
        """`runs/<arm>/<size>/<seed>`."""
        return self.out / "runs" / key

    def curves_folder(self, key: str) -> Path:
        """`tensorboard/<arm>/<size>/<seed>`."""
        return self.out / "tensorboard" / key

    def start(self, key: str) -> Path:
        """An empty folder for run `key`: what an earlier, unfinished try left is removed."""
        for folder in (self.run_folder(key), self.curves_folder(key)):
            shutil.rmtree(folder, ignore_errors=True)
        self.run_folder(key).mkdir(parents=True)
        return self.run_folder(key)

    def write(self, record: RunRecord) -> None:
        """Write a run's record, which completes it."""
        write_text(self.run_folder(record.key) / "record.json", record.model_dump_json(indent=1) + "\n")

    def records(self) -> Iterator[RunRecord]:
        """Every record in the folder, in the order of their paths.

        Raises:
            OutputError: a record cannot be read.
        """
        for file in sorted(self.out.glob("runs/*/*/*/record.json")):
            try:
                yield RunRecord.model_validate_json(file.read_bytes())
            except ValidationError as error:
                raise OutputError(
                    f"not a record: {error.errors()[0]['msg']}",
                    where=str(file),
                    fix="delete it; its run is redone",
                ) from error

    def done(self) -> dict[str, RunRecord]:
        """The completed runs by key."""
        return {record.key: record for record in self.records() if record.status == "done"}

    def promote(self, record: RunRecord, study: Study, card: Callable[[RunRecord], str]) -> bool:
        """Make run `record`'s model its arm's best, if it is; says whether it was. The loser is removed."""
        metric = study.metric
        candidate = self.run_folder(record.key) / "model"
        if not candidate.is_dir() or record.valid is None:
            return False
        best = self.out / "models" / record.arm
        value = record.valid[metric]
        if not _beats(metric, value, record.key, best):
            shutil.rmtree(candidate)
            return False
        write_text(candidate / "README.md", card(record))
        held: dict[str, Any] = {"run": record.key, "metric": metric, "valid": value, "text": study.data.text}
        held["max_length"] = record.chosen.get("max_length")
        write_text(candidate / "headstart.json", json.dumps(held, indent=1) + "\n")
        _replace_folder(candidate, best)
        return True

    def write_json(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write `<out>/<name>` and give its path."""
        path = self.out / name
        write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        return path


def _beats(metric: str, value: float, key: str, model: Path) -> bool:
    """Whether run `key` replaces the model in that folder; of equals the one with the smaller key stays."""
    try:
        held = json.loads((model / "headstart.json").read_text(encoding="utf-8"))
        old, holder = float(held["valid"]), str(held["run"])
    except (OSError, ValueError, KeyError):
        return True
    return better(metric, value, old) or (value == old and key < holder)


def _replace_folder(new: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".old-{target.name}")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _earlier(file: Path) -> Study:
    try:
        return load_study(file)
    except HeadstartError as error:
        raise OutputError(
            f"the study that was run here cannot be read again: {error}",
            where=str(file),
            fix="name another folder: out=FOLDER",
        ) from error


def _refuse_another(earlier: Study, study: Study, out: Path) -> None:
    changed = list(_changes(earlier, study))
    if changed:
        raise OutputError(
            "the folder holds another study; what differs: " + "; ".join(changed),
            where=str(out),
            expected="the same study; more seeds, sizes and arms are welcome",
            fix="undo the change, or name another folder: out=FOLDER",
        )


def _changes(earlier: Study, study: Study) -> Iterator[str]:
    """What differs between two studies in a way that would change, or lose, runs that are done."""
    old, new = _identity(earlier), _identity(study)
    for key in sorted(old.keys() | new.keys()):
        arm = key.partition("\0")[0] if "\0" in key else None
        if old.get(key) != new.get(key) and (arm is None or arm in earlier.arms):
            shown = f"arms.{key}".replace("\0", ".") if arm else key
            yield f"{shown} was {old.get(key)}, is {new.get(key)}"
    for key in _MAY_GROW:
        gone = [value for value in getattr(earlier, key) if value not in getattr(study, key)]
        if gone:
            yield f"{key} held {gone}, and {'does' if len(gone) == 1 else 'do'} no more"


def _identity(study: Study) -> dict[str, Any]:
    """All that decides a run, flat: each arm with its settings as they are in force.

    Keys of arms are `<arm>\\0<key>`, for an arm's name may hold a dot.
    """
    values = study.model_dump(mode="json", exclude={"arms", "training", "out", *_MAY_GROW, *_FREE})
    flat = _flat(values)
    for name, arm in study.arms.items():
        own = {"init": arm.init, "method": arm.method, **settings(study, arm).model_dump(mode="json")}
        flat |= {f"{name}\0{key}": value for key, value in own.items()}
    return flat


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def missing(keys: Iterable[str], done: Mapping[str, RunRecord]) -> list[str]:
    """The keys without a completed run, in their order."""
    return [key for key in keys if key not in done]
