"""Reads a checkpoint's tokenizer, and saves it as it was read; refuses folders that have none."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from transformers import PreTrainedTokenizerFast

from headstart.errors import MissingExtraError, ModelError
from headstart.models.checkpoint_files import read_json_object
from headstart.models.library import load_tokenizer, make_own_code_error, model_errors, silence_logs
from headstart.models.pretraining_folders import refuse_pretraining_folder
from headstart.models.tokenizer_limits import check_growth

#: An empty tokenizer holds special tokens, and in some families the mark of a space.
_MOST_OF_EMPTY: Final = 1
#: Saving a tokenizer takes memory for every id that no token has, below the largest one.
_LARGEST_ID: Final = 1 << 24
#: Where a tokenizer that was read has the limits of its own file.
_LIMITS: Final = "_limits_as_read"
#: The first byte of a SentencePiece model: its list of pieces. Tables of tiktoken are text.
_SENTENCEPIECE_START: Final = b"\n"
#: What the library says of such a model that it cannot read.
_EXPECTED: Final = "tokenizer.json, or the vocabulary's own files, whole and beside config.json"
_PIECE_WORDS: Final = ("entencepiece", "entencePiece", "iktoken")


def read_tokenizer(location: str, name: str) -> Any:
    """The tokenizer of the folder or hub id behind checkpoint `name`.

    Raises:
        ModelError: there is none, a part of it is absent, it swells texts, or it works with code of its own
            alone.
        MissingExtraError: it is a SentencePiece model, and SentencePiece is not installed.
    """
    folder = Path(location)
    refuse_pretraining_folder(folder)
    if folder.is_dir() and not (folder / "tokenizer.json").is_file():
        _check_parts(folder, name)
    try:
        with model_errors(name, _EXPECTED, "its tokenizer cannot be read"), silence_logs():
            tokenizer = _load_tokenizer(location, name)
    except ModelError as error:  # of a hub id, whose files cannot be looked at beforehand
        if find_spec("sentencepiece") is None and any(word in error.got for word in _PIECE_WORDS):
            raise _make_missing_error(name) from error
        raise
    check_growth(tokenizer, name)
    ids = set(tokenizer.get_vocab().values())
    if len(ids - set(tokenizer.added_tokens_decoder)) <= _MOST_OF_EMPTY:
        raise _make_absence_error(name)
    if max(ids) > _LARGEST_ID:
        raise ModelError(
            f"its tokenizer has a token with the id {max(ids):,}",
            where=name,
            expected=f"ids up to {_LARGEST_ID:,}, each a row of the embedding",
            fix="copy or download tokenizer.json again",
        )
    _note_limits(tokenizer)
    return tokenizer


def _note_limits(tokenizer: Any) -> None:
    """Note at what length its own file cuts and fills up texts, if it does: each call sets its own limits."""
    if tokenizer.is_fast:
        backend = tokenizer.backend_tokenizer
        setattr(tokenizer, _LIMITS, (backend.truncation, backend.padding))


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write its files as they were read: the limits of the last call, if any was made, are not its own."""
    if tokenizer.is_fast:
        backend = tokenizer.backend_tokenizer
        truncation, padding = getattr(tokenizer, _LIMITS, (None, None))
        backend.enable_truncation(**truncation) if truncation else backend.no_truncation()
        backend.enable_padding(**padding) if padding else backend.no_padding()
    tokenizer.save_pretrained(folder)


def find_other_reading(location: str, tokenizer: Any, texts: Sequence[str]) -> str | None:
    """The first of `texts` that a folder's tokenizer.json by itself gives other tokens; None where none is.

    For some families the library builds a class of its own from the vocabulary in that file, and leaves out
    what else stands there: such a tokenizer is not the one that the model was trained with.
    """
    file = Path(location) / "tokenizer.json"
    if not file.is_file() or type(tokenizer) is PreTrainedTokenizerFast:
        return None
    as_written = PreTrainedTokenizerFast(tokenizer_file=str(file))
    readings = [read(list(texts), add_special_tokens=False)["input_ids"] for read in (tokenizer, as_written)]
    return next((text for text, *ids in zip(texts, *readings, strict=True) if ids[0] != ids[1]), None)


def _load_tokenizer(location: str, name: str) -> Any:
    try:
        return load_tokenizer(location)
    except TypeError as error:  # classes of some families take the name of a file that is not there
        if (Path(location) / "tokenizer.json").is_file():
            raise
        raise _make_absence_error(name) from error


def _make_missing_error(file: str) -> MissingExtraError:
    return MissingExtraError("sentencepiece", "sentencepiece", f"the tokenizer {file}")


def _make_absence_error(name: str) -> ModelError:
    return ModelError(
        "no tokenizer, or one with an empty vocabulary",
        where=name,
        expected="tokenizer.json, or the vocabulary's own files, beside config.json",
        fix="copy the tokenizer files of the model it was made from",
    )


def _check_parts(folder: Path, name: str) -> None:
    """What a folder without tokenizer.json has to have for its tokenizer to be the one that was trained."""
    if _has_own_code(folder):
        raise make_own_code_error(name)
    pieces = [file for file in sorted(folder.glob("*.model")) if _is_sentencepiece(file)]
    if pieces and find_spec("sentencepiece") is None:
        raise _make_missing_error(f"{name}/{pieces[0].name}")
    # Without its merges the library takes a byte-pair vocabulary apart into letters, and says nothing.
    if (folder / "vocab.json").is_file() and not pieces and not (folder / "merges.txt").is_file():
        raise ModelError(
            "vocab.json without merges.txt is an incomplete tokenizer",
            where=name,
            expected="both, or tokenizer.json",
        )


def _has_own_code(folder: Path) -> bool:
    """Whether the tokenizer is a class in the checkpoint's own code: the library would take another's."""
    return bool(read_json_object(folder / "tokenizer_config.json").get("auto_map"))


def _is_sentencepiece(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(1) == _SENTENCEPIECE_START
