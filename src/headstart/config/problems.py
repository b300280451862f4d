"""Says what is wrong with a study in our own words: each problem with its key, its line, and what was got."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from headstart.config.partial_start import NAMED, PARTIAL
from headstart.config.rates import BY_METHOD, FOR_ALL
from headstart.config.study import Arm, Study
from headstart.errors import Problem
from headstart.wording import shorten_repr

#: A key at the head of a message about the study as a whole; arms' names may hold a hyphen.
_KEY_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PYDANTIC_PREFIX: Final = re.compile(r"^(Value error|Assertion failed), ")
#: What pydantic puts into an error's location for a union or a constraint.
_TYPE_NAME_PATTERN: Final = re.compile(
    rf"int|str|float|\[key\]|{FOR_ALL}|{BY_METHOD}|{NAMED}|{PARTIAL}|(tuple\[|literal\[|function-|constrained).*"
)
#: What is expected, by pydantic's kind of error; where it is not here, its own words say that.
_EXPECTED: Final = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "a section of keys"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    "int_parsing_size": "a whole number of fewer digits",
    "finite_number": "a finite number",
}


#: What other tools call some keys.
_SHORT_NAMES: Final = {
    **dict.fromkeys(("lr", "rate"), "learning_rate"),
    **dict.fromkeys(("bs", "batch", "per_device_train_batch_size"), "batch_size"),
    **dict.fromkeys(("num_epochs", "num_train_epochs", "n_epochs"), "epochs"),
    **dict.fromkeys(("max_seq_length", "max_len", "max_seq_len"), "max_length"),
    **dict.fromkeys(("output_dir", "output", "out_dir"), "out"),
    "max_steps": "steps",
    "rank": "r",
}


@dataclass(frozen=True)
class Source:
    """Where each key of a study stands, for messages: the tree with its lines, and the overridden keys.

    `root` is the type of the whole file.
    """

    name: str
    tree: Any
    overridden: frozenset[str]
    root: type[BaseModel] = Study

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


def list_problems(error: ValidationError, source: Source) -> tuple[Problem, ...]:
    """What `error` says of a study, one problem for each place."""
    return tuple(problem for item in _drop_repeated(error) for problem in _split(item, source))


def describe_value(item: Any) -> str:
    """What was got and expected, of one of a ValidationError's entries, in our own words."""
    if item["type"] == "missing":
        return "is missing"
    if item["type"] in ("value_error", "assertion_error"):
        return _PYDANTIC_PREFIX.sub("", str(item["msg"]))
    got = shorten_repr(item["input"])
    if item["type"] in _EXPECTED:
        return f"{_EXPECTED[item['type']]} expected, got {got}"
    return f"{item['msg'][0].lower()}{item['msg'][1:]}, got {got}"


def describe_unknown(key: str, known: Sequence[str], elsewhere: Sequence[str] = ()) -> str:
    """That a key is not known, with the known one that was probably meant, or all.

    Args:
        elsewhere: dotted keys of other places, one of which may be meant.
    """
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    meant = close[0] if close else suggest_path(key, elsewhere)
    if meant is None:
        meant = next(iter(difflib.get_close_matches(key, known, n=1, cutoff=0.6)), None)
    hint = f"did you mean {meant!r}?" if meant else f"the keys here are {', '.join(known)}"
    return f"unknown key; {hint}"


def suggest_path(key: str, paths: Sequence[str] | None = None) -> str | None:
    """The dotted key of a study whose last part is `key`, or most like it; None where none is near.

    Args:
        paths: those to choose from, the nearer first; all by default.
    """
    last = key.rpartition(".")[2]
    last = _SHORT_NAMES.get(last, last)
    by_last: dict[str, str] = {}
    for path in list_paths() if paths is None else paths:
        by_last.setdefault(path.rpartition(".")[2], path)
    close = difflib.get_close_matches(last, by_last, n=1, cutoff=0.75)
    meant = last if last in by_last else next(iter(close), None)
    return None if meant is None else by_last[meant]


def list_paths(root: type[BaseModel] = Study) -> tuple[str, ...]:
    """Each key that a study or other file may have outside of arms, with dots; the less deep first."""
    return tuple(sorted(_iterate_paths(root), key=lambda path: path.count(".")))


def _iterate_paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}"
        by_name = get_origin(field.annotation) is dict  # arms, whose names are the user's
        for kind in () if by_name else _list_kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _iterate_paths(kind, f"{prefix}{name}.")


def _list_elsewhere(location: Sequence[str | int], root: type[BaseModel]) -> list[str]:
    """The dotted keys that somebody may mean who wrote an unknown one at `location`."""
    if root is not Study:
        return [path for path in _iterate_paths(root) if path.rpartition(".")[0] != _join_dotted(location)]
    if location[:1] != ("arms",):
        return [path for path in list_paths() if path.rpartition(".")[0] != _join_dotted(location)]
    arm = _join_dotted(location[:2])
    return [*(f"{arm}.{path}" for path in _iterate_paths(Arm)), *list_paths()]


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


def _split(item: Any, source: Source) -> Iterator[Problem]:
    """One problem; or one a line, where the study as a whole was judged."""
    lines = item["msg"].splitlines() if not _find_location(item) else [item["msg"]]
    return (_make_problem({**item, "msg": line}, source) for line in lines)


def _make_problem(item: Any, source: Source) -> Problem:
    location = _find_location(item)
    message = describe_value(item)
    if not location and ": " in message and _KEY_PATTERN.fullmatch(message.split(": ")[0]):
        key, _, message = message.partition(": ")
        location = tuple(key.split("."))
    if item["type"] == "extra_forbidden":
        parent = location[:-1]
        known = sorted(_list_keys(parent, source.root))
        message = describe_unknown(str(location[-1]), known, _list_elsewhere(parent, source.root))
    return Problem(source.locate(location), _join_dotted(location), message)


def _list_keys(location: Sequence[str | int], root: type[BaseModel]) -> set[str]:
    """The keys that the section at `location` may hold."""
    in_arm = location[:1] == ("arms",)
    section: type[BaseModel] = Arm if in_arm else root
    for part in location[2:] if in_arm else location:  # an arm may be named like a section
        if part in section.model_fields:
            kinds = _list_kinds(section.model_fields[part].annotation)
            section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return set(section.model_fields)


def _list_kinds(annotation: Any) -> list[Any]:
    """The types that a field may hold, without what is annotated of them."""
    kinds = get_args(annotation) or (annotation,)
    return [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]


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
