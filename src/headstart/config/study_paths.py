"""Makes paths of a study absolute: of its file against its folder, of overrides against the current one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from headstart.config.partial_start import NAMED_STARTS
from headstart.config.study import Study

_PATHS: Final = ("train", "valid", "test", "path", "fairseq")
#: What Linux takes: bytes of a path, and of each name in it.
_LONGEST_PATH, _LONGEST_NAME = 4096, 255


def resolve_paths(plain: dict[str, Any], base: Path, changed: Collection[str]) -> Iterator[tuple[str, str]]:
    """Make the paths in a study's plain values absolute, in place; gives problems as (key, message).

    Args:
        changed: the keys that overrides wrote.
    """
    data, arms = _get_section(plain, "data"), _get_section(plain, "arms")
    plain.setdefault("out", Study.model_fields["out"].default)
    places = [(data, name, f"data.{name}") for name in _PATHS] + [(plain, "out", "out")]
    places += _list_tracker_folders(plain)
    folders = [(data, "hub", "data.hub"), (plain, "model", "model")]
    folders += [(_get_section(arms, name), "init", f"arms.{name}.init") for name in arms]
    yield from _resolve_text(plain, base, changed)
    for section, key, dotted in places + folders:
        value = section.get(key)
        if not isinstance(value, str) or not value:
            continue
        is_overridden = any(f"{dotted}.".startswith(f"{change}.") for change in changed)
        try:
            path = locate(value, Path.cwd() if is_overridden else base)
        except ValueError as error:
            yield dotted, str(error)
            continue
        if (section is data and key in _PATHS) or key in ("out", "dir"):
            section[key] = str(path)
        elif value not in NAMED_STARTS and (path.exists() or value.startswith((".", "/", "~"))):
            # A checkpoint or data set may be a folder or an id: a folder where one is there or it looks so.
            section[key] = str(path.resolve())


def _resolve_text(plain: dict[str, Any], base: Path, changed: Collection[str]) -> Iterator[tuple[str, str]]:
    """Make the paths of `adapt.text`, one or several, absolute, in place."""
    adapt = _get_section(plain, "adapt")
    given = adapt.get("text")
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        return
    where = Path.cwd() if any("adapt.text".startswith(change) for change in changed) else base
    try:
        adapt["text"] = [str(locate(path, where)) for path in paths]
    except ValueError as error:
        yield "adapt.text", str(error)


def _list_tracker_folders(plain: dict[str, Any]) -> list[tuple[dict[str, Any], str, str]]:
    """Each tracker's settings, whose `dir` is a folder."""
    trackers = plain.get("trackers")
    listed = trackers if isinstance(trackers, list) else [trackers]
    named = [tracker for tracker in listed if isinstance(tracker, dict)]
    return [(_get_section(tracker, name), "dir", "trackers") for tracker in named for name in tracker]


def _get_section(values: dict[str, Any], key: str) -> dict[str, Any]:
    section = values.get(key)
    return section if isinstance(section, dict) else {}


def locate(given: str, base: Path) -> Path:
    """The path that a user wrote, against `base`; `~` is a home folder.

    Raises:
        ValueError: there can be none of that name.
    """
    if "\0" in given:
        raise ValueError("a path with a NUL character; a file's or folder's name expected")
    try:
        path = base / Path(given).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{given.split('/')[0]} is not a user's home folder; write the path itself"
        ) from error
    longest = max((len(name.encode()) for name in path.parts), default=0)
    if longest > _LONGEST_NAME or len(str(path).encode()) >= _LONGEST_PATH:
        raise ValueError(
            f"a path of {len(str(path).encode()):,} bytes, a name of {longest:,}; "
            f"at most {_LONGEST_PATH - 1:,}, and {_LONGEST_NAME} a name, expected"
        )
    return path
