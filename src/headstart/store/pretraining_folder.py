"""The output folder of a pretraining: whose it is, and of which settings; one process at a time writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from headstart.config.load_pretraining import dump_pretraining, load_pretraining
from headstart.config.pretraining import Pretraining
from headstart.errors import HeadstartError, OutputError
from headstart.events import Log, ignore_log
from headstart.files import write_file_atomically, write_text
from headstart.store.fences import Fence
from headstart.store.flat_keys import flatten_keys
from headstart.store.lease import clearing_traces, hold_lease
from headstart.store.pretraining_layout import PretrainingLayout

_FIX: Final = "wait for it (--wait, or wait=True in Python), or name another folder: out=FOLDER"
_LEASE: Final = "folder"
#: The state of training, among what is our own.
STATE_FILE: Final = "state.safetensors"
#: What may differ when a pretraining goes on: it touches no number.
_MAY_CHANGE: Final = ("out", "trackers", "save_every", "training.graph")
#: What a tokenizer that was trained here is a function of: its documents, kind and size.
_OF_TOKENIZER: Final = ("data", "seed", "task", "tokenizer")


@contextmanager
def hold_pretraining_folder(
    settings: Pretraining, *, wait: bool = False, log: Log = ignore_log
) -> Iterator[Fence]:
    """Have the folder to this process alone while the block runs, as the folder of this pretraining.

    Where the block ends in an error of which nothing came, no weights and no tokenizer, all is as before.

    Raises:
        OutputError: another process has it, it holds another pretraining or something else.
    """
    layout = PretrainingLayout(Path(settings.out))
    _check_ours(layout)
    with (
        clearing_traces(layout.own_folder, _LEASE, layout.settings_file.exists),
        hold_lease(layout.own_folder, _LEASE, thing=layout.out, fix=_FIX, wait=wait, log=log) as fence,
    ):
        before = layout.settings_file.read_bytes() if layout.settings_file.is_file() else None
        try:
            _bind_settings(layout, settings)
            yield fence
        except HeadstartError:
            if not _has_results(layout) and fence.is_held:
                _put_back(layout.settings_file, before)
            raise


def _has_results(layout: PretrainingLayout) -> bool:
    """Whether something is there that took training."""
    places = (*_list_trained(layout), layout.tokenizer_folder, layout.curves_folder)
    return any(place.exists() for place in places)


def _list_trained(layout: PretrainingLayout) -> tuple[Path, ...]:
    """What is there once weights were trained, any of them."""
    return layout.own_folder / STATE_FILE, layout.model_folder, layout.record_file


def _put_back(file: Path, before: bytes | None) -> None:
    with suppress(OSError):  # whatever kept it from being written: the error under way says it
        if before is None:
            file.unlink(missing_ok=True)
        else:
            with write_file_atomically(file) as temporary:
                temporary.write_bytes(before)


def _bind_settings(layout: PretrainingLayout, settings: Pretraining) -> None:
    """Write the settings that the folder is for, in place of earlier ones of which nothing came."""
    if layout.settings_file.is_file() and _check_same(layout, settings):
        return
    write_text(layout.settings_file, dump_pretraining(settings))


def _check_ours(layout: PretrainingLayout) -> None:
    if layout.settings_file.is_file() or not layout.out.exists():
        return
    if not layout.out.is_dir() or any(entry != layout.own_folder for entry in layout.out.iterdir()):
        raise OutputError(
            "contains something other than a pretraining",
            where=str(layout.out),
            expected="an empty or new folder, or one that an earlier pretraining left",
            fix="choose another folder: out=FOLDER",
        )


def _check_same(layout: PretrainingLayout, settings: Pretraining) -> bool:
    """Whether they are those of the file; others are refused where what was trained depends on them."""
    try:
        earlier = load_pretraining(layout.settings_file)
    except HeadstartError as error:
        raise OutputError(
            f"the pretraining that was begun here cannot be read: {error}",
            where=str(layout.settings_file),
            fix="name another folder: out=FOLDER",
        ) from error
    old, new = (flatten_keys(one.model_dump(mode="json")) for one in (earlier, settings))
    changed = [
        key
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and not _may_change(key)
    ]
    is_bound = _choose_bound(layout, earlier)
    differences = [f"{key} was {old.get(key)}, is {new.get(key)}" for key in changed if is_bound(key)]
    if differences:
        raise OutputError(
            "the folder contains another pretraining; differences: " + "; ".join(differences),
            where=str(layout.out),
            expected="the same settings, which then go on where they were",
            fix="undo the change, or name another folder: out=FOLDER",
        )
    return not changed


def _may_change(key: str) -> bool:
    return any(f"{key}.".startswith(f"{free}.") for free in _MAY_CHANGE)


def _choose_bound(layout: PretrainingLayout, earlier: Pretraining) -> Callable[[str], bool]:
    """Which keys may no longer change: all once weights were trained, before that a tokenizer's; of a file
    that this program did not write, which it may not replace, all."""
    is_ours = layout.settings_file.read_text(encoding="utf-8") == dump_pretraining(earlier)
    if not is_ours or any(place.exists() for place in _list_trained(layout)):
        return lambda key: True
    if layout.tokenizer_folder.exists():
        return lambda key: key.partition(".")[0] in _OF_TOKENIZER
    return lambda key: False
