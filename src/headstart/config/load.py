"""Reads a study file (YAML 1.2) into a `Study`; reports every mistake at once with key and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from headstart.config.fairness import find_confounders
from headstart.config.problems import Source, list_problems
from headstart.config.section import Section
from headstart.config.study import BAG_OF_WORDS_ARM, Study, make_default_arms
from headstart.config.study_paths import resolve_paths
from headstart.config.yaml_text import (
    MOST_BYTES,
    YamlTextError,
    convert_to_plain,
    join_surrogates,
    read_yaml,
)
from headstart.errors import HeadstartError, Problem, StudyError
from headstart.files import find_file_fault
from headstart.os_faults import reading
from headstart.wording import cut_text, shorten_repr

_EXCLUSIVE_KEYS: Final = {"epochs": "steps", "steps": "epochs"}
_File = TypeVar("_File", bound=Section)
#: How files of data are called; a study that is JSON is read.
_DATA: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
#: Dots in the key of an override; PEFT's own settings lie deepest.
_DEEPEST_KEY: Final = 10


def load_study(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Study:
    """Read the study in the file `source`, or of a file's keys as plain values, with `key=value` overrides.

    Paths in the file are relative to it, those of overrides and of plain values to the current folder.
    `epochs` and `steps` exclude each other: an override of one takes the other out of the file.

    Example:
        study = headstart.load_study("study.yaml", ["seeds=5", "training.epochs=3"])
        print(study)
        same = headstart.load_study({"data": {"path": "reviews.csv"}, "model": "asset:minilm"})

    Raises:
        StudyError: with every problem found, each with its line and key.
    """
    if isinstance(source, Mapping):
        name, base, tree, plain = "study", Path.cwd(), None, copy_plain(source)
    else:
        file = _check_file(Path(source))
        name, base, tree = str(source), file.resolve().parent, parse_file(file)
        plain = make_plain(tree, str(file))
    changes = dict(parse_override(text) for text in overrides)
    if plain.get("arms") is None and any(key.startswith("arms.") for key in changes):
        plain["arms"] = make_default_arms()  # an override changes one arm; it does not drop the others
    apply_changes(plain, changes)
    return _validate_study(plain, Source(name, tree, frozenset(changes)), base)


def require_study(value: object) -> None:
    """See that a caller's value is a study.

    Raises:
        HeadstartError: it is a file's name, plain values or anything else.
    """
    if not isinstance(value, Study):
        got, fix = f"a {type(value).__name__}", "headstart.load_study(...) makes one"
        raise HeadstartError(got, where="study", expected="a Study", fix=fix)


def dump_study(study: Study) -> str:
    """The study as YAML with every default filled in; `load_study` reads it back to an equal study."""
    values = study.model_dump(mode="json")
    _drop_unset(values["training"])
    _drop_unset(values["adapt"])
    for arm, typed in zip(values["arms"].values(), study.arms.values(), strict=True):
        if typed.lora is not None:
            arm["lora"]["alpha"] = typed.lora.alpha_in_force
        arm["training"] = {k: v for k, v in arm["training"].items() if k in typed.training.model_fields_set}
    return format_yaml(_keep_words_out(values, study))


def outline_study(study: Study) -> str:
    """The study as YAML with what was set alone; `load_study` reads it back to an equal study."""
    values = study.model_dump(mode="json", exclude_unset=True)
    return format_yaml(_keep_words_out(values, study) if "arms" in values else values).rstrip()


def _keep_words_out(values: dict[str, Any], study: Study) -> dict[str, Any]:
    """With `words: null` where the study has no bag of words: one is added where nothing is said."""
    if not any(arm.method == "bag-of-words" for arm in study.arms.values()):
        values["arms"].setdefault(BAG_OF_WORDS_ARM, None)  # a study may call another arm `words`
    return values


def format_yaml(values: dict[str, Any]) -> str:
    buffer = StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_quote_unprintable(values), buffer)
    return buffer.getvalue()


def _quote_unprintable(node: Any) -> Any:
    """Texts with characters such as U+0085, which other scalars would turn into line ends, as escapes."""
    if isinstance(node, dict):
        return {_quote_unprintable(key): _quote_unprintable(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_quote_unprintable(value) for value in node]
    return DoubleQuotedScalarString(node) if isinstance(node, str) and not node.isprintable() else node


def _drop_unset(training: dict[str, Any]) -> None:
    """Epochs and steps exclude each other: only the one in force is written."""
    training.pop("epochs" if training.get("steps") is not None else "steps", None)


def _check_file(file: Path) -> Path:
    """The path of what can be read: a pipe, a device or a name that no file can have is refused."""
    fault = find_file_fault(file)
    if fault is not None:
        raise _refuse(cut_text(str(file)), f"is {fault}: the study file expected")
    return file


def parse_file(file: Path) -> Any:
    if file.suffix.lower() in _DATA:
        raise _refuse(
            str(file), f"a data file, not a study: `headstart init {file.name}` writes a study file"
        )
    try:
        if file.stat().st_size > MOST_BYTES:
            raise _refuse(str(file), f"more than {MOST_BYTES:,} bytes: not a study file")
        with reading(file):
            text = file.read_text(encoding="utf-8-sig")
        tree = read_yaml(text)
    except FileNotFoundError as error:
        raise _refuse(str(file), "no such file: `headstart init DATA` writes a study file") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise _refuse(str(file), f"cannot be read: {reason}") from error
    except YamlTextError as error:
        raise _refuse(f"{file}:{error.line}" if error.line else str(file), str(error)) from error
    if not isinstance(tree, CommentedMap):
        raise _refuse(str(file), "contains no study: lines of `key: value` expected")
    return tree


def make_plain(tree: Any, where: str) -> dict[str, Any]:
    try:
        return dict(convert_to_plain(tree))
    except YamlTextError as error:
        raise _refuse(f"{where}:{error.line}" if error.line else where, str(error)) from error


def copy_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of a caller, who keeps them as they were."""
    try:
        return make_plain(values, "study")
    except RecursionError as error:
        raise _refuse("study", "sections nested without end") from error


def parse_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise _refuse("command line", "`key=value` expected, such as seeds=5", cut_text(text))
    if key.count(".") > _DEEPEST_KEY:
        raise _refuse("command line", "not a study key: too many parts", cut_text(key))
    try:
        return join_surrogates(key), convert_to_plain(read_yaml(value))
    except YamlTextError as error:
        message = f"{shorten_repr(value)} is not a YAML value: {str(error).removeprefix('not YAML: ')}"
        raise _refuse("command line", message, cut_text(key)) from error


def _refuse(where: str, message: str, key: str = "") -> StudyError:
    return StudyError((Problem(where, key, message),))


def _assign_key(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for name in parents:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    tree[last] = value


def apply_changes(tree: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set the keys of overrides, in place; one of two that exclude each other takes the other out."""
    for key, value in changes.items():
        _assign_key(tree, key, value)
    _drop_exclusive_keys(tree, changes)


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


def validate_file(
    kind: type[_File], plain: dict[str, Any], source: Source, paths: Iterable[tuple[str, str]]
) -> tuple[_File, tuple[Problem, ...]]:
    """The file's values as its type, and the problems with its paths, given as (key, message).

    Raises:
        StudyError: with these problems and those of the values, where the values have some.
    """
    problems = tuple(Problem(source.locate(key.split(".")), key, message) for key, message in paths)
    try:
        return kind.model_validate(plain), problems
    except ValidationError as error:
        raise StudyError((*problems, *list_problems(error, source))) from error


def _validate_study(plain: dict[str, Any], source: Source, base: Path) -> Study:
    study, problems = validate_file(Study, plain, source, resolve_paths(plain, base, source.overridden))
    unfair = tuple(Problem(source.locate(key.split(".")), key, why) for key, why in find_confounders(study))
    if problems or unfair:
        raise StudyError(problems + unfair)
    return study
