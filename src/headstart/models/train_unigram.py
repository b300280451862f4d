"""Trains SentencePiece's unigram model, and writes it as a fast tokenizer; knows no templates."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from headstart.data.encode_documents import cut_document
from headstart.errors import DataError, MissingExtraError

#: Characters of the documents that are learnt from: SentencePiece has them in memory.
_MOST_CHARACTERS: Final = 100_000_000
#: Threads whose sums are added up in their order: another number gives other last digits.
_THREADS: Final = 16
#: Bytes of a sentence; longer ones SentencePiece passes over.
_LONGEST_SENTENCE: Final = 1 << 24
#: SentencePiece's own default: the rarest characters, one in 2,000, are unknown.
_COVERAGE: Final = 0.9995
_TOO_MANY: Final = re.compile(r"value <= (\d+)")
_TOO_FEW: Final = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


def train_unigram(documents: Iterable[str], own: int, names: Mapping[str, str], size: int) -> Tokenizer:
    """A fast tokenizer of `own` tokens, those of `names` with the first ids.

    Of a corpus of more than 100 million characters it learns from a share of the documents, by their hashes.

    Args:
        names: `bos_token`, `eos_token`, `pad_token` and `unk_token`, in the order of their ids.
        size: tokens as the user counts them, for messages.

    Raises:
        DataError: the documents do not support so many tokens, or so few do not hold their characters.
        MissingExtraError: sentencepiece is not installed.
    """
    normalizer = _make_normalizer()
    pieces = _train_pieces(documents, normalizer, own, names, size)
    backend = Tokenizer(models.Unigram(pieces, unk_id=[*names].index("unk_token"), byte_fallback=False))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    return backend


def _make_normalizer() -> Any:
    """What SentencePiece's `nmt_nfkc` does, with spaces as it has them: none doubled, none at the ends."""
    steps = [
        normalizers.Nmt(),
        normalizers.NFKC(),
        normalizers.Replace(Regex(" {2,}"), " "),
        normalizers.Strip(),
    ]
    return normalizers.Sequence(steps)


def _train_pieces(
    documents: Iterable[str], normalizer: Any, own: int, names: Mapping[str, str], size: int
) -> list[tuple[str, float]]:
    """The pieces with their log probabilities, in the order of their ids."""
    if find_spec("sentencepiece") is None:
        raise _make_missing_error()
    import sentencepiece

    sample = _sample_documents(documents)
    special: dict[str, Any] = {}
    for i, (name, token) in enumerate(names.items()):
        kind = name.removesuffix("_token")
        special |= {f"{kind}_id": i, f"{kind}_piece": token}
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_normalise(sample, normalizer),
            model_writer=model,
            model_type="unigram",
            vocab_size=own,
            normalization_rule_name="identity",
            character_coverage=_COVERAGE,
            max_sentence_length=_LONGEST_SENTENCE,
            num_threads=_THREADS,
            minloglevel=3,
            **special,
        )
    except RuntimeError as error:
        raise _explain(error, own, size) from error
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]


def _make_missing_error() -> MissingExtraError:
    """What to say where SentencePiece is not installed: the extra, and what goes without it."""
    purpose, otherwise = "training a unigram tokenizer", "set tokenizer.train: bpe, which needs no extra"
    return MissingExtraError("sentencepiece", "sentencepiece", purpose, otherwise)


def _sample_documents(documents: Iterable[str]) -> list[str]:
    """All documents, or of very many those with the lowest hashes that fit into memory.

    Whenever there are too many, half of all hashes count no more: the order of documents changes nothing.
    """
    kept: list[tuple[int, str]] = []
    characters, limit = 0, 1 << 64
    for document in documents:
        place = int.from_bytes(hashlib.blake2b(document.encode(), digest_size=8).digest(), "little")
        if place < limit:
            kept.append((place, document))
            characters += len(document)
        while characters > _MOST_CHARACTERS and len(kept) > 1:
            limit //= 2
            kept = [one for one in kept if one[0] < limit]
            characters = sum(len(text) for _, text in kept)
    return [document for _, document in kept]


def _normalise(documents: Iterable[str], normalizer: Any) -> Iterator[str]:
    for document in documents:
        for piece in cut_document(document):
            yield normalizer.normalize_str(piece.text)


def _explain(error: RuntimeError, own: int, size: int) -> Exception:
    """What SentencePiece says of a size that does not suit the corpus; else the error itself."""
    if most := _TOO_MANY.search(str(error)):
        return make_size_error(size, int(most[1]) + size - own)
    if least := _TOO_FEW.search(str(error)):
        needed = int(least[1]) + size - own
        return DataError(
            f"a vocabulary of {size:,} tokens",
            expected=f"at least {needed:,}: the characters of this corpus and the special tokens",
            fix=f"tokenizer.size: {needed} or more",
        )
    return error


def make_size_error(size: int, most: int) -> DataError:
    """What to say of a vocabulary that is larger than the corpus supports."""
    return DataError(
        f"a vocabulary of {size:,} tokens is more than this corpus supports",
        expected=f"{most:,} tokens at most",
        fix=f"tokenizer.size: {most}, or more text",
    )
