"""Keeps the model of each arm's best run in `models/<arm>`, and removes those of the others.

An arm without a grid promotes a run's model as soon as it is the best one. In an arm that tries a grid, which
grid point is best is known at the end alone: until then the best model of each size and grid point stays in
its run's folder, and `promote_chosen` takes one of them.

A model is removed only where a better one is whole, and its run's record on disk. What cannot be judged,
since its notes are gone or unreadable, is being written where it lies in a run's folder, and left alone;
where it lies in `models/<arm>` somebody has changed it, and it is set aside.
"""

from __future__ import annotations

import glob
import math
import re
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from headstart.config.arm_settings import get_checkpoint, is_whole_checkpoint, name_checkpoint
from headstart.config.metrics import is_better
from headstart.config.runs import Run
from headstart.config.study import Arm, Study
from headstart.config.traits import get_method_traits
from headstart.errors import ModelError
from headstart.files import remove_folder, replace_folder
from headstart.records import RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.model_cards import CARD_FILE, MakeCard, write_card
from headstart.store.model_notes import ModelNotes, read_model_notes, write_model_notes
from headstart.store.records import is_recorded


@dataclass(frozen=True)
class _Holder:
    """The run whose model lies in a folder, and its valid score."""

    key: str
    score: float


def promote(layout: StudyLayout, record: RunRecord, study: Study, make_card: MakeCard) -> bool:
    """Make the run's model its arm's best, if it is; says whether it was. The loser is removed.

    In an arm that tries a grid the best of each size and grid point stays in its run's folder.
    """
    candidate = layout.run_model_folder(record.key)
    if not candidate.is_dir() or record.valid is None or not is_recorded(layout, record.key):
        return False
    rivals = _list_rivals(layout, record)
    score = record.valid[study.metric]
    if not all(_beats(study.metric, _Holder(record.key, score), rival) for rival in rivals.values()):
        remove_folder(candidate)
        return False
    (candidate / CARD_FILE).unlink(missing_ok=True)  # of a call that was killed before it moved the model
    write_model_notes(candidate, _describe(record, study, score))
    promoted = layout.get_arm_model_folder(record.arm)
    if record.hyperparameters:
        for rival in rivals:
            if rival != promoted:  # what was promoted stays until `promote_chosen` has another
                remove_folder(rival)
    else:
        write_card(candidate, make_card(record))
        _move_to_arm(layout, candidate, promoted)
    return True


def promote_chosen(layout: StudyLayout, arm: str, record: RunRecord | None, make_card: MakeCard) -> bool:
    """Make the model of the chosen run its arm's; one of another run goes back to that run's folder.

    Says whether the arm has that model now: where it was deleted, no other takes its place.
    """
    promoted = layout.get_arm_model_folder(arm)
    holder = _read_holder(promoted)
    stays = record is not None and holder is not None and holder.key == record.key
    # In its run's folder it lies where it was not promoted yet, or was redone.
    waiting = layout.run_model_folder(record.key) if record else None
    chosen = promoted if stays and waiting and not waiting.is_dir() else waiting
    is_there = chosen is not None and chosen.is_dir()
    if record is not None and chosen is not None and is_there:
        write_card(chosen, make_card(record))  # before anything is moved: it may not be possible
    if promoted.is_dir() and not stays:
        _put_back(layout, promoted, holder)
    if chosen is not None and is_there and chosen != promoted:
        _move_to_arm(layout, chosen, promoted)
    return is_there


def _move_to_arm(layout: StudyLayout, model: Path, promoted: Path) -> None:
    """Let `model` replace the arm's, which is kept aside where nobody can tell which run it is of."""
    if promoted.is_dir() and _read_holder(promoted) is None:
        _set_aside(layout, promoted)
    replace_folder(model, promoted)


def _set_aside(layout: StudyLayout, model: Path) -> None:
    """Move a model that cannot be judged out of the way."""
    folder = layout.set_aside_folder / "models"
    folder.mkdir(parents=True, exist_ok=True)
    names = (model.name if i == 1 else f"{model.name}-{i}" for i in count(1))
    model.rename(next(folder / name for name in names if not (folder / name).exists()))


def _describe(record: RunRecord, study: Study, score: float) -> ModelNotes:
    """Which run the model is of, and what it takes to use it."""
    arm, max_length = study.arms[record.arm], record.resolved.get("max_length")
    traits, base = get_method_traits(arm.method), get_checkpoint(study, arm)
    # Of an adapter PEFT's own file has the path, and a whole model needs none.
    named = base if traits.artifact == "probe" else name_checkpoint(base)
    return ModelNotes(
        run=record.key,
        metric=study.metric,
        valid=score,
        text=study.data.text,
        max_length=None if max_length is None else int(max_length),
        task=study.task,
        method=arm.method,
        base=named if traits.has_checkpoint else None,
        base_revision=_find_base_revision(record, base) if _needs_base(arm) else None,
        base_files=_list_base_files(record) if _needs_base(arm) else None,
        label_cells=str(record.resolved.get("label_cells", "text")),
    )


def _needs_base(arm: Arm) -> bool:
    """Whether what the arm saves is nothing without its checkpoint; random weights are saved whole."""
    return get_method_traits(arm.method).artifact in ("adapter", "probe") and is_whole_checkpoint(arm.init)


def _list_base_files(record: RunRecord) -> dict[str, str] | None:
    return record.provenance.checkpoint_files if record.provenance else None


def _find_base_revision(record: RunRecord, base: str | None) -> str | None:
    """The commit of a base that is a hub's id: of folders another digest is noted."""
    digest = (record.provenance and record.provenance.checkpoint_digest) or ""
    is_commit = re.fullmatch("[0-9a-f]{40}", digest) is not None
    return digest if is_commit and base and not Path(base).exists() else None


def identify_rivals(run: Run) -> str:
    """What runs have in common of whose models one is kept: the arm; in a grid its size and point as well."""
    return "/".join(_drop_seed(run.key)) if run.grid_point else run.arm


def _list_rivals(layout: StudyLayout, record: RunRecord) -> dict[Path, _Holder]:
    """The models that the run's competes with, and whose they are: its arm's, or in a grid those of its size
    and grid point.

    Of a run whose record is gone it is not known whether it counts; when it is redone it has another model.
    """
    promoted = layout.get_arm_model_folder(record.arm)
    rivals = _list_models(layout, record.key) if record.hyperparameters else {}
    rivals.pop(layout.run_model_folder(record.key), None)
    holder = _read_holder(promoted)
    if holder is not None and is_recorded(layout, holder.key):
        is_rival = not record.hyperparameters or _drop_seed(holder.key) == _drop_seed(record.key)
        rivals |= {promoted: holder} if is_rival else {}
    return rivals


def _list_models(layout: StudyLayout, key: str) -> dict[Path, _Holder]:
    """The models in run folders of the run's arm, size and grid point that were the best of them once.

    One without notes is being written, or waits for its own turn: it is nobody's to judge or remove.
    """
    run = layout.get_run_folder(key)
    models = run.parent.parent.glob(f"*/{glob.escape(run.name)}/model")
    held = {model: _read_holder(model) for model in models}
    return {model: holder for model, holder in held.items() if holder and is_recorded(layout, holder.key)}


def _drop_seed(key: str) -> list[str]:
    """Arm, size and grid point of a run."""
    arm, size, _, *point = key.split("/")
    return [arm, size, *point]


def _put_back(layout: StudyLayout, model: Path, holder: _Holder | None) -> None:
    """Move a promoted model to its run's folder, unless a better one of its grid point is kept."""
    home = None if holder is None else layout.run_model_folder(holder.key)
    if holder is None or home is None or home.exists() or not home.parent.is_dir():
        _set_aside(layout, model)
    elif _list_models(layout, holder.key):
        remove_folder(model)
    else:
        (model / CARD_FILE).unlink(missing_ok=True)
        model.rename(home)


def _beats(metric: str, candidate: _Holder, holder: _Holder) -> bool:
    """Whether the candidate replaces the holder; of equals the smaller key stays."""
    if candidate.key == holder.key:  # redone: the new model belongs to the record
        return True
    if is_better(metric, candidate.score, holder.score):
        return True
    is_tie = candidate.score == holder.score or (math.isnan(candidate.score) and math.isnan(holder.score))
    return is_tie and candidate.key < holder.key


def _read_holder(model: Path) -> _Holder | None:
    try:
        notes = read_model_notes(model)
    except ModelError:
        return None
    if notes.run is None:
        return None
    return _Holder(notes.run, math.nan if notes.valid is None else notes.valid)
