"""Finds the files of a tokenizer beside a fairseq checkpoint, and by them its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from headstart.errors import ModelError

Kind = Literal["sentencepiece", "gpt2", "fastbpe"]
#: The files of each kind, by the names under which they are handed out; `*` stands for any name.
_NAMES: Final[dict[Kind, tuple[tuple[str, ...], ...]]] = {
    "sentencepiece": (("sentencepiece.bpe.model",), ("*.model",)),
    "gpt2": (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")),
    "fastbpe": (("bpe.codes",), ("bpecodes",), ("codes",), ("*.codes",)),
}
#: Kinds of fairseq's that no tokenizer of transformers encodes, with what can be done.
_REFUSED: Final = {
    "characters": "train on texts whose characters are spaced out, or pretrain a model with pieces",
    "bytes": "pretrain a model with pieces",
    "byte_bpe": "pretrain a model with pieces",
    "hf_byte_bpe": "its files are those of gpt2: name that",
    "subword_nmt": "its codes are fastBPE's in another order; convert them to `A B COUNT` lines for fastbpe",
}


@dataclass(frozen=True)
class TokenizerFiles:
    """The kind of a tokenizer and its files: the model; vocabulary and merges; or the codes."""

    kind: Kind
    paths: tuple[Path, ...]


def find_tokenizer_files(folder: Path, kind: str | None) -> TokenizerFiles:
    """The files of the tokenizer of `kind` in a folder; where it is None, of the one kind that is there.

    Raises:
        ModelError: the kind is unknown or refused, its files are absent, or there are files of several kinds.
    """
    if kind is not None:
        return _find_named(folder, _check_kind(kind, folder))
    found = [files for k in _NAMES if (files := _find(folder, k)) is not None]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelError(
            "no files of a tokenizer",
            where=str(folder),
            expected=f"one of {_describe_all()}",
            fix="copy them there from where the data were encoded before fairseq-preprocess",
        )
    names = ", ".join(f"{files.paths[0].name} ({files.kind})" for files in found)
    raise ModelError(
        f"files of several tokenizers: {names}",
        where=str(folder),
        expected="the kind that the model was trained with",
        fix=f"name it: {', '.join(files.kind for files in found)}",
    )


def _check_kind(kind: str, folder: Path) -> Kind:
    known: tuple[Kind, ...] = get_args(Kind)
    for name in known:
        if kind == name:
            return name
    raise ModelError(
        f"a tokenizer of kind {kind}",
        where=str(folder),
        expected=f"one of {', '.join(known)}",
        fix=_REFUSED.get(kind),
    )


def _find_named(folder: Path, kind: Kind) -> TokenizerFiles:
    found = _find(folder, kind)
    if found is None:
        raise ModelError(f"no files of a {kind} tokenizer", where=str(folder), expected=_describe(kind))
    return found


def _find(folder: Path, kind: Kind) -> TokenizerFiles | None:
    """The files of a kind, by the first names under which all are there."""
    for names in _NAMES[kind]:
        paths = tuple(path for name in names for path in sorted(folder.glob(name))[:1] if path.is_file())
        if len(paths) == len(names):
            return TokenizerFiles(kind, paths)
    return None


def _describe(kind: Kind) -> str:
    return " or ".join(" and ".join(names) for names in _NAMES[kind])


def _describe_all() -> str:
    return "; ".join(f"{_describe(kind)} ({kind})" for kind in _NAMES)
