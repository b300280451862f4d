"""Keeps the model of each arm's best run in `models/<arm>`, and removes those of the others.

An arm without a grid promotes a run's model as soon as it is the best one. In an arm that tries a grid, which
grid point is best is known at the end alone: until then the best model of each size and grid point stays in
its run's folder, and `promote_chosen` takes one of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headstart.config.arm_settings import get_checkpoint, name_checkpoint
from headstart.config.metrics import is_better
from headstart.config.runs import Run
from headstart.config.study import Study
from headstart.config.traits import get_method_traits
from headstart.errors import ModelError
from headstart.files import replace_folder, write_text
from headstart.records import RunRecord
from headstart.store.layout import StudyLayout
from headstart.store.model_notes import ModelNotes, read_model_notes, write_model_notes

#: Gives a run's model card, as Markdown.
MakeCard = Callable[[RunRecord], str]
#: What the hub, and every file browser, shows of a model's folder.
_CARD_FILE: Final = "README.md"


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
    if not candidate.is_dir() or record.valid is None:
        return False
    rivals = _list_rivals(layout, record)
    score = record.valid[study.metric]
    if not all(_beats(study.metric, _Holder(record.key, score), rival) for rival in rivals):
        shutil.rmtree(candidate)
        return False
    write_model_notes(candidate, _describe(record, study, score))
    promoted = layout.get_arm_model_folder(record.arm)
    if record.hyperparameters:
        for rival in rivals:
            if rival != promoted:  # what was promoted stays until `promote_chosen` has another
                shutil.rmtree(rival)
    else:
        write_text(candidate / _CARD_FILE, make_card(record))
        replace_folder(candidate, promoted)
    return True


def promote_chosen(layout: StudyLayout, arm: str, record: RunRecord | None, make_card: MakeCard) -> bool:
    """Make the model of the chosen run its arm's; one of another run goes back to that run's folder.

    Says whether the arm has that model now: where it was deleted, no other takes its place.
    """
    promoted = layout.get_arm_model_folder(arm)
    holder = _read_holder(promoted)
    stays = record is not None and holder is not None and holder.key == record.key
    if promoted.is_dir() and not stays:
        _put_back(layout, promoted, holder)
    if record is None:
        return False
    chosen = promoted if stays else layout.run_model_folder(record.key)
    if chosen.is_dir():
        write_text(chosen / _CARD_FILE, make_card(record))
        if not stays:
            replace_folder(chosen, promoted)
    return promoted.is_dir()


def _describe(record: RunRecord, study: Study, score: float) -> ModelNotes:
    """Which run the model is of, and what it takes to use it."""
    arm, max_length = study.arms[record.arm], record.resolved.get("max_length")
    base = get_checkpoint(study, arm)
    # Of an adapter PEFT's own file has the path, and a whole model needs none.
    needs_path = get_method_traits(arm.method).artifact == "probe"
    return ModelNotes(
        run=record.key,
        metric=study.metric,
        valid=score,
        text=study.data.text,
        max_length=None if max_length is None else int(max_length),
        task=study.task,
        method=arm.method,
        base=base if needs_path else name_checkpoint(base),
        label_cells=str(record.resolved.get("label_cells", "text")),
    )


def identify_rivals(run: Run) -> str:
    """What runs have in common of whose models one is kept: the arm; in a grid its size and point as well."""
    return "/".join(_drop_seed(run.key)) if run.grid_point else run.arm


def _list_rivals(layout: StudyLayout, record: RunRecord) -> list[Path]:
    """The models that the run's competes with: its arm's, or in a grid those of its size and grid point."""
    promoted = layout.get_arm_model_folder(record.arm)
    if not record.hyperparameters:
        return [promoted]
    mine = layout.run_model_folder(record.key)
    rivals = [model for model in _list_models(layout, record.key) if model != mine]
    holder = _read_holder(promoted)
    is_rival = holder is not None and _drop_seed(holder.key) == _drop_seed(record.key)
    return [*rivals, promoted] if is_rival else rivals


def _list_models(layout: StudyLayout, key: str) -> list[Path]:
    """The models in run folders of the run's arm, size and grid point that were the best of them once.

    One without notes is being written, or waits for its own turn: it is nobody's to judge or remove.
    """
    run = layout.get_run_folder(key)
    models = run.parent.parent.glob(f"*/{run.name}/model")
    return [model for model in models if _read_holder(model) is not None]


def _drop_seed(key: str) -> list[str]:
    """Arm, size and grid point of a run."""
    arm, size, _, *point = key.split("/")
    return [arm, size, *point]


def _put_back(layout: StudyLayout, model: Path, holder: _Holder | None) -> None:
    """Move a promoted model to its run's folder, unless a better one of its grid point is kept."""
    if holder is None or _list_models(layout, holder.key) or not layout.get_run_folder(holder.key).is_dir():
        shutil.rmtree(model)
    else:
        (model / _CARD_FILE).unlink(missing_ok=True)
        model.rename(layout.run_model_folder(holder.key))


def _beats(metric: str, candidate: _Holder, model: Path) -> bool:
    """Whether the candidate replaces the model in that folder; of equals the smaller key stays."""
    holder = _read_holder(model)
    if holder is None or is_better(metric, candidate.score, holder.score):
        return True
    return candidate.score == holder.score and candidate.key < holder.key


def _read_holder(model: Path) -> _Holder | None:
    try:
        notes = read_model_notes(model)
    except ModelError:
        return None
    if notes.run is None or notes.valid is None:
        return None
    return _Holder(notes.run, notes.valid)
