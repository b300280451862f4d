"""Reads a study file (YAML 1.2) into a `Study`; reports every mistake at once with key and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from headstart.config.fairness import find_confounders
from headstart.config.rates import BY_METHOD, FOR_ALL
from headstart.config.study import BAG_OF_WORDS_ARM, Arm, Study, make_default_arms
from headstart.errors import Problem, StudyError

_PATHS = ("train", "valid", "test", "path")
_EXCLUSIVE_KEYS = {"epochs": "steps", "steps": "epochs"}
#: A key at the head of a message about the study as a whole; arms' names may hold a hyphen.
_KEY_PATTERN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PYDANTIC_PREFIX = re.compile(r"^(Value error|Assertion failed), ")
#: What pydantic puts into an error's location for a union or a constraint.
_TYPE_NAME_PATTERN = re.compile(
    rf"int|str|float|\[key\]|{FOR_ALL}|{BY_METHOD}|(tuple\[|literal\[|function-|constrained).*"
)


@dataclass(frozen=True)
class _Source:
    """Where each key of a study stands, for messages: the tree with its lines, and the overridden keys."""

    name: str
    tree: Any
    overridden: frozenset[str]

    def locate(self, location: Sequence[str | int]) -> str:
        """`file:line` of the deepest part of `location` that the file holds, unless an override wrote it."""
        section = f"{_join_dotted(location)}."
        if any(section.startswith(f"{key}.") for key in self.overridden):
            return "command line"
        # A section that the file has not, an override made.
        if not _has_location(self.tree, location) and any(key.startswith(section) for key in self.overridden):
            return "command line"
        line = _find_line(self.tree, location)
        return f"{self.name}:{line}" if line else self.name


def load_study(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read the study at `path`, with `key=value` overrides applied.

    Paths in the file are relative to it, those of overrides to the current folder. `epochs` and `steps`
    exclude each other: an override of one takes the other out of the file.

    Raises:
        StudyError: with every problem found, each with its line and key.
    """
    file = Path(path)
    tree = _parse_yaml(file)
    changes = dict(_parse_override(text) for text in overrides)
    plain = _convert_to_plain(tree)
    if plain.get("arms") is None and any(key.startswith("arms.") for key in changes):
        plain["arms"] = make_default_arms()  # an override changes one arm; it does not drop the others
    for key, value in changes.items():
        _assign_key(plain, key, value)
    _drop_exclusive_keys(plain, changes)
    source = _Source(str(path), tree, frozenset(changes))
    _resolve_paths(plain, file.resolve().parent, changes)
    study = _validate_study(plain, source)
    unfair = find_confounders(study)
    if unfair:
        raise StudyError(tuple(Problem(source.locate(key.split(".")), key, why) for key, why in unfair))
    return study


def dump_study(study: Study) -> str:
    """The study as YAML with every default filled in; `load_study` reads it back to an equal study."""
    buffer = StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    values = study.model_dump(mode="json")
    _drop_unset(values["training"])
    for arm, typed in zip(values["arms"].values(), study.arms.values(), strict=True):
        if typed.lora is not None:
            arm["lora"]["alpha"] = typed.lora.alpha_in_force
        arm["training"] = {k: v for k, v in arm["training"].items() if k in typed.training.model_fields_set}
    if not any(arm["method"] == "bag-of-words" for arm in values["arms"].values()):
        values["arms"].setdefault(BAG_OF_WORDS_ARM, None)  # a study may call another arm `words`
    yaml.dump(values, buffer)
    return buffer.getvalue()


def _drop_unset(training: dict[str, Any]) -> None:
    """Epochs and steps exclude each other: only the one in force is written."""
    training.pop("epochs" if training.get("steps") is not None else "steps", None)


def _parse_yaml(file: Path) -> Any:
    try:
        tree = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise StudyError((Problem(str(file), "", f"cannot be read: {reason}"),)) from error
    except (YAMLError, ValueError) as error:  # ValueError: a date such as 2020-13-45
        raise StudyError((_describe_syntax_error(file, error),)) from error
    if not isinstance(tree, CommentedMap):
        raise StudyError((Problem(str(file), "", "holds no study: lines of `key: value` expected"),))
    return tree


def _describe_syntax_error(file: Path, error: Exception) -> Problem:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    what = error.problem if isinstance(error, MarkedYAMLError) else str(error)
    return Problem(f"{file}:{mark.line + 1}" if mark else str(file), "", f"not YAML: {what}")


def _parse_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise StudyError((Problem("command line", text, "`key=value` expected, such as seeds=5"),))
    try:
        return key.strip(), _convert_to_plain(YAML(typ="rt").load(value))
    except (YAMLError, ValueError) as error:
        raise StudyError((Problem("command line", key, f"{value!r} is not a YAML value"),)) from error


def _assign_key(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for name in parents:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    tree[last] = value


def _drop_exclusive_keys(tree: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """`training.steps=100` beside the file's `epochs: 3` means 100 steps, and the other way round."""
    for key, value in changes.items():
        *parents, last = key.split(".")
        rival = _EXCLUSIVE_KEYS.get(last)
        if rival is None or value is None or ".".join([*parents, rival]) in changes:
            continue
        section: Any = tree
        for name in parents:
            section = section[name]
        section.pop(rival, None)


def _convert_to_plain(node: Any) -> Any:
    """ruamel's annotated nodes as plain dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {str(key): _convert_to_plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_convert_to_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _resolve_paths(plain: dict[str, Any], base: Path, changes: Mapping[str, Any]) -> None:
    """Make paths absolute: those of the file against its folder, overridden ones against the current one."""

    def choose_base(key: str) -> Path:
        return Path.cwd() if any(f"{key}.".startswith(f"{change}.") for change in changes) else base

    given = plain.get("data")
    data: dict[str, Any] = given if isinstance(given, dict) else {}
    for name in _PATHS:
        if isinstance(data.get(name), str):
            data[name] = str(choose_base(f"data.{name}") / Path(data[name]).expanduser())
    _resolve_folder(data, "hub", choose_base("data.hub"))
    _resolve_folder(plain, "model", choose_base("model"))
    for name, arm in (plain.get("arms") or {}).items() if isinstance(plain.get("arms"), dict) else ():
        _resolve_folder(arm, "init", choose_base(f"arms.{name}.init"))
    out = plain.get("out", Study.model_fields["out"].default)
    if isinstance(out, str):
        plain["out"] = str(choose_base("out") / Path(out).expanduser())


def _resolve_folder(section: Any, key: str, base: Path) -> None:
    """A checkpoint or data set may be a folder or an id: it is a folder where one is there or it looks so."""
    value = section.get(key) if isinstance(section, dict) else None
    if not isinstance(value, str) or value in ("", "pretrained", "random"):
        return
    path = base / Path(value).expanduser()
    if path.exists() or value.startswith((".", "/", "~")):
        section[key] = str(path.resolve())


def _validate_study(values: dict[str, Any], source: _Source) -> Study:
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        problems = (problem for item in _drop_repeated(error) for problem in _list_problems(item, source))
        raise StudyError(tuple(problems)) from error


def _drop_repeated(error: ValidationError) -> list[Any]:
    """One entry a location: a union reports once for each of its types."""
    seen: dict[tuple[Any, ...], Any] = {}
    for item in error.errors(include_url=False):
        seen.setdefault(_find_location(item), item)
    return list(seen.values())


def _find_location(item: Any) -> tuple[int | str, ...]:
    """Where the error stands, without type names; an arm's name and an unknown key are the user's words."""
    loc = item["loc"]
    user_words = {1} if loc[:1] == ("arms",) else set()
    user_words |= {len(loc) - 1} if item["type"] == "extra_forbidden" else set()
    return tuple(
        part for i, part in enumerate(loc) if i in user_words or not _TYPE_NAME_PATTERN.fullmatch(str(part))
    )


def _list_problems(item: Any, source: _Source) -> list[Problem]:
    """One problem; or one a line, where the study as a whole was judged."""
    lines = item["msg"].splitlines() if not _find_location(item) else [item["msg"]]
    return [_make_problem({**item, "msg": line}, source) for line in lines]


def _make_problem(item: Any, source: _Source) -> Problem:
    location = _find_location(item)
    message = _PYDANTIC_PREFIX.sub("", item["msg"])
    if not location and ": " in message and _KEY_PATTERN.fullmatch(message.split(": ")[0]):
        key, _, message = message.partition(": ")
        location = tuple(key.split("."))
    if item["type"] == "extra_forbidden":
        message = _describe_unknown_key(location)
    elif item["type"] == "missing":
        message = "is missing"
    elif item["type"] not in ("value_error", "assertion_error"):
        message = f"{message[0].lower()}{message[1:]}, got {item['input']!r}"
    return Problem(source.locate(location), _join_dotted(location), message)


def _describe_unknown_key(location: Sequence[str | int]) -> str:
    known = sorted(_list_keys(location[:-1]))
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"the keys here are {', '.join(known)}"
    return f"unknown key; {hint}"


def _list_keys(location: Sequence[str | int]) -> set[str]:
    """The keys that the section at `location` may hold."""
    in_arm = location[:1] == ("arms",)
    section: type[BaseModel] = Arm if in_arm else Study
    for part in location[2:] if in_arm else location:  # an arm may be named like a section
        if part in section.model_fields:
            kinds = get_args(section.model_fields[part].annotation) or (
                section.model_fields[part].annotation,
            )
            section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return set(section.model_fields)


def _has_location(tree: Any, location: Sequence[str | int]) -> bool:
    for part in location:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True


def _find_line(tree: Any, location: Sequence[str | int]) -> int | None:
    """The 1-based line of the deepest key of `location` present in `tree`."""
    line = None
    for part in location:
        if isinstance(tree, CommentedMap) and part in tree:
            # A key merged in by `<<` has no line here: that of its section stands.
            line = (tree.lc.data or {}).get(part, [(line or 1) - 1])[0] + 1
        elif isinstance(tree, CommentedSeq) and isinstance(part, int) and part < len(tree):
            line = tree.lc.item(part)[0] + 1
        else:
            break
        tree = tree[part]
    return line


def _join_dotted(location: Sequence[str | int]) -> str:
    return ".".join(map(str, location))
