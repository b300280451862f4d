"""Builds the tokenizer of a SentencePiece model and a fairseq dictionary: pieces first, then their rows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from google.protobuf.message import DecodeError
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import BartphoTokenizer
from transformers.convert_slow_tokenizer import import_protobuf

from headstart.data.fairseq.dictionary import BOS, SPECIALS, UNK, Dictionary, is_padding
from headstart.data.special_tokens import encode_as_text
from headstart.data.token_key import PROBES
from headstart.errors import MissingExtraError, ModelError
from headstart.models.fairseq.fast_backend import finish_fast_tokenizer, list_special_tokens
from headstart.models.fairseq.row_names import check_special_rows, find_special_ids, name_rows, write_rows

SPACE: Final = "▁"
#: Numbers in the model's own format (sentencepiece_model.proto): the algorithm, and kinds of pieces.
_UNIGRAM: Final = 1
_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
#: A score that no division of a text into pieces prefers.
_NEVER: Final = -1e4


def build_sentencepiece(model: Path, dictionary: Dictionary) -> Any:
    """The tokenizer that divides texts as the model does, and then looks the pieces up in the dictionary.

    It is fast where that comes to the same: for unigram models, all of whose pieces have a line. Else it is
    transformers' `BartphoTokenizer`, which asks SentencePiece itself.

    Raises:
        ModelError: the file is no SentencePiece model.
        MissingExtraError: SentencePiece is needed, and not installed.
    """
    proto = read_model(model)
    is_installed = find_spec("sentencepiece") is not None
    if _can_be_fast(proto, dictionary):
        fast = _build_fast(proto, dictionary)
        if not is_installed or _agrees(fast, model, dictionary):
            return fast
    if not is_installed:
        raise MissingExtraError("sentencepiece", "sentencepiece", f"the tokenizer {model}")
    return _build_exact(model, dictionary)


def read_model(path: Path) -> Any:
    """What a SentencePiece model holds: `pieces`, `trainer_spec`, `normalizer_spec`.

    Raises:
        ModelError: it cannot be read.
    """
    expected = "a SentencePiece model, as its trainer writes it (.model)"
    proto = import_protobuf().ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ModelError(f"cannot be read: {error}", where=str(path), expected=expected) from error
    if not proto.pieces:
        raise ModelError("no pieces in it", where=str(path), expected=expected)
    return proto


def _can_be_fast(proto: Any, dictionary: Dictionary) -> bool:
    """Whether a fast tokenizer can give each piece its row: it has no piece whose id is that of `<unk>`."""
    plain = all(piece.type in (_NORMAL, _UNKNOWN, _CONTROL, _UNUSED) for piece in proto.pieces)
    rules = proto.normalizer_spec
    spaces = rules.add_dummy_prefix and rules.remove_extra_whitespaces and rules.escape_whitespaces
    pieces = {piece.piece for piece in proto.pieces}
    given = {piece.piece for piece in proto.pieces if piece.type == _NORMAL}
    within = any(SPACE in piece[1:] for piece in given)
    # Lines that are no pieces are characters which the model does not know, in runs as the data had them.
    others = any(not is_padding(word) for word in set(dictionary.words) - pieces - set(SPECIALS))
    is_unigram = proto.trainer_spec.model_type == _UNIGRAM
    return (
        is_unigram and plain and spaces and not within and not others and given <= set(name_rows(dictionary))
    )


def _build_fast(proto: Any, dictionary: Dictionary) -> Any:
    scores = {piece.piece: piece.score for piece in proto.pieces if piece.type == _NORMAL}
    unreachable = find_special_ids(dictionary)
    rows = [
        (name, _NEVER if name in unreachable else scores.get(name, _NEVER)) for name in name_rows(dictionary)
    ]
    backend = Tokenizer(models.Unigram(rows, unk_id=dictionary.unk, byte_fallback=False))
    if charsmap := proto.normalizer_spec.precompiled_charsmap:
        backend.normalizer = normalizers.Precompiled(charsmap)
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(" +"), "removed"), pre_tokenizers.Metaspace(SPACE, "always")]
    )
    backend.decoder = decoders.Metaspace(SPACE, "always")
    return finish_fast_tokenizer(backend, dictionary)


def _agrees(tokenizer: Any, model: Path, dictionary: Dictionary) -> bool:
    """Whether it gives odd texts the ids that SentencePiece and the dictionary give."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return all(
        encode_as_text(tokenizer, text)
        == [dictionary.find(piece) for piece in processor.encode(text, out_type=str)]
        for text in PROBES
        if BOS not in text  # where these are text, who encodes has to say so: data/special_tokens.py
    )


def _build_exact(model: Path, dictionary: Dictionary) -> Any:
    check_special_rows(dictionary, model)
    named: Mapping[str, Any] = {"mask_token": UNK} | list_special_tokens(dictionary)
    # It keeps what it reads here, and writes it out again when it is saved.
    with TemporaryDirectory(prefix="headstart-") as folder:
        lines = Path(folder, "dict.txt")
        write_rows(dictionary, lines)
        return BartphoTokenizer(str(model), str(lines), **named)
