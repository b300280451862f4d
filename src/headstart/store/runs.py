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

from headstart.config.expand import axes, checkpoint, settings
from headstart.config.load import dump_study, load_study
from headstart.config.metrics import better
from headstart.config.study import Study
from headstart.config.traits import METHODS, method_traits
from headstart.errors import HeadstartError, OutputError
from headstart.records import RunRecord, StoppingRule
from headstart.store.files import write_text
from headstart.store.schema import check_schema
from headstart.store.scores import Predictions, read_predictions

#: What may change between two calls on one folder: it adds runs, or touches no number.
_MAY_GROW = ("seeds", "sizes")
_FREE = ("question", "workers", "pack", "vocabulary")

_CHECKPOINT = "checkpoint"
#: Sections of an arm that are some method's own.
_SECTIONS = {traits.section for traits in METHODS.values() if traits.section}
#: Says that seeds were added until contrasts were known, and by which rule.
UNTIL = "until_decided.json"


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
            OutputError: it holds another study, one of another version, or something else.
        """
        check_schema(self.out)
        if self.study_file.is_file():
            _refuse_another(_earlier(self.study_file), study, self.out)
        elif self.out.exists() and not (self.out.is_dir() and not any(self.out.iterdir())):
            raise OutputError(
                "holds something else than a study",
                where=str(self.out),
                expected="an empty or new folder",
                fix="name another one: out=FOLDER",
            )

    def seeds(self) -> tuple[int, ...]:
        """The seeds of the study that the folder holds; none where it holds none."""
        return _earlier(self.study_file).seeds if self.study_file.is_file() else ()

    def grown(self, study: Study) -> Study:
        """The study with the seeds that were added to it here, where a rule added them."""
        if self.until() is None:
            return study
        return study.model_copy(update={"seeds": tuple(dict.fromkeys((*study.seeds, *self.seeds())))})

    def check_sources(self, data: str, checkpoints: frozenset[str]) -> None:
        """See that the runs that are done learnt from these very texts and checkpoints, by their digests.

        Raises:
            OutputError: a file was changed since.
        """
        for record in self.done().values():
            made = record.provenance
            if made is None:
                continue
            known = made.checkpoint_digest is None or made.checkpoint_digest in checkpoints
            if made.data_digest != data or not known:
                other = "another checkpoint" if made.data_digest == data else "other data"
                raise OutputError(
                    f"run {record.key} was made from {other}: a file was changed since",
                    where=str(self.out),
                    expected="the same files while a study grows",
                    fix="put the files back, or name another folder: out=FOLDER",
                )

    def open(self, study: Study, until: StoppingRule | None = None) -> None:
        """Check the folder, create it where it is new, and write the study into it, and its rule if any.

        A rule stays, though the study be run without it later: what was seen was seen.

        Raises:
            OutputError: as `check`, or it cannot be written.
        """
        self.check(study)
        try:
            write_text(self.study_file, dump_study(study))
            if until is not None:
                write_text(self.out / UNTIL, until.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", where=str(self.out)) from error

    def run_folder(self, key: str) -> Path:
        """`runs/<arm>/<size>/<seed>`, and in a tuned arm `/<setting>` below it."""
        return self.out / "runs" / key

    def curves_folder(self, key: str) -> Path:
        """`tensorboard/<arm>/<size>/<seed>`, and in a tuned arm `/<setting>` below it."""
        return self.out / "tensorboard" / key

    def checkpoint_folder(self, key: str) -> Path:
        """Where an unfinished run keeps its state: `checkpoint` in its folder."""
        return self.run_folder(key) / _CHECKPOINT

    def predictions(self, key: str, metric: str) -> Predictions | None:
        """What the model of run `key` said of the test texts, as `metric` has it; None where it is not there.

        Raises:
            OutputError: it cannot be read.
        """
        return read_predictions(self.run_folder(key), metric)

    def until(self) -> StoppingRule | None:
        """The rule by which seeds were added to the study, if it was.

        Raises:
            OutputError: it cannot be read.
        """
        check_schema(self.out)
        file = self.out / UNTIL
        if not file.is_file():
            return None
        try:
            return StoppingRule.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise OutputError(f"no rule: {error.errors()[0]['msg']}", where=str(file)) from error

    def start(self, key: str) -> Path:
        """A folder for run `key` with nothing but the state that an earlier, unfinished try may have left."""
        folder = self.run_folder(key)
        shutil.rmtree(self.curves_folder(key), ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name != _CHECKPOINT:
                shutil.rmtree(entry)
            elif entry.is_file():
                entry.unlink()
        return folder

    def write(self, record: RunRecord) -> None:
        """Write a run's record, which completes it; one that is done needs its state no more."""
        write_text(self.run_folder(record.key) / "record.json", record.model_dump_json(indent=1) + "\n")
        if record.status == "done":
            shutil.rmtree(self.checkpoint_folder(record.key), ignore_errors=True)

    def records(self) -> Iterator[RunRecord]:
        """Every record in the folder, in the order of their paths.

        Raises:
            OutputError: a record cannot be read.
        """
        check_schema(self.out)
        depths = ("runs/*/*/*/record.json", "runs/*/*/*/*/record.json")
        for file in sorted(file for depth in depths for file in self.out.glob(depth)):
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
        """Make run `record`'s model its arm's best, if it is; says whether it was. The loser is removed.

        In a tuned arm the best of each size and setting stays in its run's folder, for `settle` to choose.
        """
        candidate = self.run_folder(record.key) / "model"
        if not candidate.is_dir() or record.valid is None:
            return False
        rivals = self._rivals(record)
        value = record.valid[study.metric]
        if not all(_beats(study.metric, value, record.key, rival) for rival in rivals):
            shutil.rmtree(candidate)
            return False
        _describe(candidate, record, study)
        if record.hyperparameters:
            for rival in rivals:
                if rival != self._model(record.arm):  # what was promoted stays until `settle` has another
                    shutil.rmtree(rival)
        else:
            write_text(candidate / "README.md", card(record))
            _replace_folder(candidate, self._model(record.arm))
        return True

    def settle(self, arm: str, record: RunRecord | None, card: Callable[[RunRecord], str]) -> bool:
        """Make the model of run `record` the tuned arm's; one of another run goes back to that run's folder.

        Says whether the arm has that model now: where it was deleted, no other takes its place.
        """
        promoted = self._model(arm)
        held, _ = _held(promoted) or (None, None)
        stays = record is not None and held == record.key
        if promoted.is_dir() and not stays:
            self._put_back(promoted, held)
        if record is None:
            return False
        kept = promoted if stays else self.run_folder(record.key) / "model"
        if kept.is_dir():
            write_text(kept / "README.md", card(record))
            if not stays:
                _replace_folder(kept, promoted)
        return promoted.is_dir()

    def _model(self, arm: str) -> Path:
        return self.out / "models" / arm

    def _kept(self, key: str) -> list[Path]:
        """The models of run `key`'s arm, size and setting that lie in run folders."""
        own = self.run_folder(key)
        return list(own.parent.parent.glob(f"*/{own.name}/model"))

    def _rivals(self, record: RunRecord) -> list[Path]:
        """The models that `record`'s is compared with: its arm's, or in a tuned arm those of its setting."""
        promoted = self._model(record.arm)
        if not record.hyperparameters:
            return [promoted]
        rivals = [model for model in self._kept(record.key) if model.parent != self.run_folder(record.key)]
        held = _held(promoted)
        return [*rivals, promoted] if held and _seedless(held[0]) == _seedless(record.key) else rivals

    def _put_back(self, model: Path, key: str | None) -> None:
        """Move a promoted model to its run's folder, unless a better one of its setting is kept."""
        if key is None or self._kept(key) or not self.run_folder(key).is_dir():
            shutil.rmtree(model)
        else:
            (model / "README.md").unlink(missing_ok=True)
            model.rename(self.run_folder(key) / "model")

    def write_json(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write `<out>/<name>` and give its path."""
        path = self.out / name
        write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        return path


def _describe(model: Path, record: RunRecord, study: Study) -> None:
    """Write beside the weights which run they are of, and what `predict` needs to know."""
    assert record.valid is not None
    held: dict[str, Any] = {"run": record.key, "metric": study.metric, "valid": record.valid[study.metric]}
    held |= {"text": study.data.text, "max_length": record.resolved.get("max_length")}
    arm = study.arms[record.arm]
    held |= {"task": study.task, "method": arm.method, "base": checkpoint(study, arm)}
    write_text(model / "headstart.json", json.dumps(held, indent=1) + "\n")


def _beats(metric: str, value: float, key: str, model: Path) -> bool:
    """Whether run `key` replaces the model in that folder; of equals the one with the smaller key stays."""
    held = _held(model)
    if held is None:
        return True
    holder, old = held
    return better(metric, value, old) or (value == old and key < holder)


def _held(model: Path) -> tuple[str, float] | None:
    """The key of the run whose model lies in that folder, and its valid metric."""
    try:
        held = json.loads((model / "headstart.json").read_text(encoding="utf-8"))
        return str(held["run"]), float(held["valid"])
    except (OSError, ValueError, KeyError):
        return None


def _seedless(key: str) -> list[str]:
    """Arm, size and setting of a tuned arm's run."""
    arm, size, _, *setting = key.split("/")
    return [arm, size, *setting]


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
            expected="the same study; more seeds, sizes, arms and values to tune are welcome",
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
    now = dict(_growing(study))
    for key, before in _growing(earlier):
        gone = [value for value in before if value not in now.get(key, before)]
        if gone:
            yield f"{key} held {gone}, and {'does' if len(gone) == 1 else 'do'} no more"


def _growing(study: Study) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What may get more values, by key: each value stands for runs."""
    for key in _MAY_GROW:
        yield key, getattr(study, key)
    for name, arm in study.arms.items():
        for tuned, values in axes(study, arm).items():
            yield f"arms.{name}.tune.{tuned}", values


def _identity(study: Study) -> dict[str, Any]:
    """All that decides a run, flat: each arm with its settings as they are in force.

    Keys of arms are `<arm>\\0<key>`, for an arm's name may hold a dot.
    """
    apart = {"arms", "training", "tune", "out", *_MAY_GROW, *_FREE}
    values = study.model_dump(mode="json", exclude=apart)
    flat = _flat(values)
    for name, arm in study.arms.items():
        own = {"init": arm.init, "method": arm.method}
        if method_traits(arm.method).has_checkpoint:  # which reads none of these settings
            own |= settings(study, arm).model_dump(mode="json")
            own |= dict.fromkeys(axes(study, arm), "tuned")  # what a grid replaces decides nothing
            own |= arm.model_dump(mode="json", include=_SECTIONS, exclude_none=True)
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
