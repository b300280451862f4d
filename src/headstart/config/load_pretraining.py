"""Reads a pretraining file (YAML 1.2) into a `Pretraining`; reports every mistake with its key and line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.config.load import (
    apply_changes,
    copy_plain,
    format_yaml,
    make_plain,
    parse_file,
    parse_override,
    validate_file,
)
from headstart.config.pretraining import PRESETS, Pretraining
from headstart.config.problems import Source
from headstart.config.study_paths import locate
from headstart.errors import Problem, StudyError
from headstart.files import find_file_fault

_FILES: Final = ("train", "valid")


def load_pretraining(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Pretraining:
    """Read the pretraining in the file `source`, or of its keys as plain values, with `key=value` overrides.

    Paths in the file are relative to it, those of overrides and of plain values to the current folder.

    Example:
        settings = headstart.load_pretraining("pretrain.yaml", ["training.steps=1000"])
        result = headstart.pretrain(settings)

    Raises:
        StudyError: with every problem found, each with its line and key.
    """
    if isinstance(source, Mapping):
        name, base, tree, plain = "pretraining", Path.cwd(), None, copy_plain(source)
    else:
        name, file = str(source), _check_file(Path(source))
        base, tree = file.resolve().parent, parse_file(file)
        plain = make_plain(tree, name)
    changes = dict(parse_override(text) for text in overrides)
    apply_changes(plain, changes)
    source_file = Source(name, tree, frozenset(changes), Pretraining)
    paths = _resolve_paths(plain, base, source_file.overridden)
    settings, problems = validate_file(Pretraining, plain, source_file, paths)
    if problems:
        raise StudyError(problems)
    return settings


def dump_pretraining(settings: Pretraining) -> str:
    """The pretraining as YAML with every default filled in; it is read back to an equal one."""
    values = settings.model_dump(mode="json")
    values["training"].pop("epochs" if settings.training.steps is not None else "steps")
    return format_yaml(values)


def _check_file(file: Path) -> Path:
    fault = find_file_fault(file) or (None if file.exists() else "not there")
    if fault is not None:
        raise StudyError((Problem(str(file), "", f"is {fault}: the pretraining file expected"),))
    return file


def _resolve_paths(plain: dict[str, Any], base: Path, changed: Collection[str]) -> Iterator[tuple[str, str]]:
    """Make paths absolute, in place; gives problems as (key, message)."""
    plain.setdefault("out", Pretraining.model_fields["out"].default)
    data = plain.get("data")
    places = [(data, name, f"data.{name}") for name in _FILES if isinstance(data, dict)]
    for section, key, dotted in [*places, (plain, "out", "out"), *_list_folders(plain)]:
        own = Path.cwd() if dotted in changed or dotted.partition(".")[0] in changed else base
        try:
            _resolve(section, key, own, is_id=key in ("model", "tokenizer"))
        except ValueError as error:
            yield dotted, str(error)


def _list_folders(plain: dict[str, Any]) -> list[tuple[dict[str, Any], str, str]]:
    """Keys whose value may be a folder or an id."""
    named = [name for name in ("model", "tokenizer") if isinstance(plain.get(name), str)]
    return [(plain, name, name) for name in named if name != "model" or plain[name] not in PRESETS]


def _resolve(section: Any, key: str, base: Path, *, is_id: bool) -> None:
    value = section.get(key)
    if isinstance(value, list):
        section[key] = [str(locate(one, base)) if isinstance(one, str) and one else one for one in value]
    elif isinstance(value, str) and value:
        path = locate(value, base)
        if not is_id:
            section[key] = str(path)
        elif path.exists() or value.startswith((".", "/", "~")):
            section[key] = str(path.resolve())
