"""Refuses to mix two studies in one output folder: says what differs; more of the same is welcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.config.arm_settings import (
    format_init,
    get_grid_axes,
    get_tune,
    is_adapted,
    resolve_training,
)
from headstart.config.load import load_study
from headstart.config.study import Lora, Study, Tune
from headstart.config.traits import METHODS, get_method_traits, get_task_traits
from headstart.errors import HeadstartError, OutputError
from headstart.store.flat_keys import flatten_keys
from headstart.store.folder_mark import check_ours, is_free
from headstart.store.layout import StudyLayout
from headstart.store.names import check_names
from headstart.store.schema import check_schema

#: What may get more values between two calls on one folder: each adds runs.
_MAY_GROW: Final = ("seeds", "sizes")
#: What may change: it touches no number.
_MAY_CHANGE: Final = (
    "question",
    "margin",
    "differs_in",
    "confounded",
    "workers",
    "pack",
    "parallel",
    "vocabulary",
    "execution",
    "report",
    "trackers",
)
#: What is compared in another way than value by value.
_COMPARED_APART: Final = frozenset({"arms", "training", "tune", "out", *_MAY_GROW, *_MAY_CHANGE})
#: Between an arm's name, which may hold a dot, and a key of its settings.
_SEPARATOR: Final = "\0"


class OtherStudyError(OutputError):
    """The folder holds another study, or one of other files."""


def check_same_study(layout: StudyLayout, study: Study) -> None:
    """See that the folder is new, empty, or holds this study; writes nothing.

    Raises:
        OutputError: it holds another study, one of another version, or something else.
    """
    check_folder(layout)
    check_names(study.arms, layout.out)
    if layout.study_file.is_file():
        _check_same_study(read_earlier_study(layout), study, layout.out)
    elif not is_free(layout):
        raise OutputError(
            "its study.yaml is missing, so it is unknown which study its runs belong to",
            where=str(layout.out),
            expected="the file that headstart wrote",
            fix="put it back, or name another folder: out=FOLDER",
        )


def check_folder(layout: StudyLayout) -> None:
    """See that the folder is new, empty, or ours, and of this schema version; writes nothing.

    Raises:
        OutputError: it is not.
    """
    check_schema(layout.out)
    check_ours(layout)


def read_earlier_study(layout: StudyLayout) -> Study:
    """The study that the folder holds.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        return _restore_earlier_defaults(load_study(layout.study_file))
    except HeadstartError as error:
        raise OutputError(
            f"the study that was run here cannot be read: {error}",
            where=str(layout.study_file),
            fix="name another folder: out=FOLDER",
        ) from error


def _restore_earlier_defaults(study: Study) -> Study:
    """A folder's file has every default filled in: what it lacks had another default when it was written.

    One without `tune.seeds` is of before there were any, when the study's own seeds chose; one without
    `lora.alpha` of when that was twice the rank.
    """
    arms = {
        name: arm.model_copy(update={"tune": _share_seeds(arm.tune), "lora": _double_rank(arm.lora)})
        for name, arm in study.arms.items()
    }
    return study.model_copy(update={"tune": _share_seeds(study.tune), "arms": arms})


def _double_rank(lora: Lora | None) -> Lora | None:
    return lora.model_copy(update={"alpha": 2.0 * lora.r}) if lora and lora.alpha is None else lora


def _share_seeds(tune: Tune | None) -> Tune | None:
    is_old = tune is not None and "seeds" not in tune.model_fields_set
    return tune.model_copy(update={"seeds": "shared"}) if tune and is_old else tune


def _check_same_study(earlier: Study, study: Study, out: Path) -> None:
    differences = list(_list_differences(earlier, study))
    if differences:
        raise OtherStudyError(
            "the folder contains another study; differences: " + "; ".join(differences),
            where=str(out),
            expected="the same study (added seeds, sizes, arms and values to tune are fine)",
            fix="undo the change, or name another folder: out=FOLDER",
        )


def _list_differences(earlier: Study, study: Study) -> Iterator[str]:
    """What differs between two studies in a way that would change, or lose, runs that are done."""
    old, new = _flatten_identity(earlier), _flatten_identity(study)
    has_adapted = any(map(is_adapted, earlier.arms.values()))
    for key in sorted(old.keys() | new.keys()):
        if key.startswith("adapt.") and not has_adapted:
            continue  # nothing is there that read it
        arm = key.partition(_SEPARATOR)[0] if _SEPARATOR in key else None
        if old.get(key) != new.get(key) and (arm is None or arm in earlier.arms):
            shown = f"arms.{key}".replace(_SEPARATOR, ".") if arm else key
            yield f"{shown} was {old.get(key)}, is {new.get(key)}"
    now = dict(_list_growing(study))
    for key, before in _list_growing(earlier):
        gone = [value for value in before if value not in now.get(key, before)]
        if gone:
            yield _describe_removed(key, gone)


def _describe_removed(key: str, gone: Sequence[object]) -> str:
    """`seed 1 was removed`, `seeds 1, 2 were removed`, `arms.lora.tune.weight_decay 0.1 was removed`."""
    values, verb = ", ".join(map(str, gone)), "was" if len(gone) == 1 else "were"
    name = key.removesuffix("s") if key in _MAY_GROW and len(gone) == 1 else key
    return f"{name} {values} {verb} removed"


def _list_growing(study: Study) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What may get more values, by key: each value stands for runs."""
    for key in _MAY_GROW:
        yield key, getattr(study, key)
    for name, arm in study.arms.items():
        for tuned, values in get_grid_axes(study, arm).items():
            yield f"arms.{name}.tune.{tuned}", values
        if tune := get_tune(study, arm):
            yield f"arms.{name}.tune.seeds", (tune.seeds,) if tune.seeds == "shared" else tune.seeds


def _flatten_identity(study: Study) -> dict[str, Any]:
    """All that decides a run, flat: each arm with its settings as they are in force."""
    unread = set() if get_task_traits(study.task).generates else {"prompts"}
    flat = flatten_keys(study.model_dump(mode="json", exclude={*_COMPARED_APART, *unread}))
    sections = {traits.section for traits in METHODS.values() if traits.section}
    for name, arm in study.arms.items():
        in_force: dict[str, Any] = {"init": format_init(arm), "method": arm.method}
        if get_method_traits(arm.method).has_checkpoint:  # which reads none of these settings
            in_force |= resolve_training(study, arm).model_dump(mode="json")
            # What a grid replaces decides nothing.
            in_force |= dict.fromkeys(get_grid_axes(study, arm), "tuned")
            in_force |= arm.model_dump(mode="json", include=sections, exclude_none=True)
            in_force |= {"lora": _settle_alpha(arm.lora)} if arm.lora else {}
        flat |= {f"{name}{_SEPARATOR}{key}": value for key, value in in_force.items()}
    return flat


def _settle_alpha(lora: Lora) -> dict[str, Any]:
    """The settings with the alpha that is in force, named or not."""
    return lora.model_dump(mode="json") | {"alpha": float(lora.alpha_in_force)}
