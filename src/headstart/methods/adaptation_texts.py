"""Collects the unlabelled texts that a checkpoint is adapted to, and their blocks of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.data.conversations import list_contents
from headstart.data.corpus import Corpus, Part
from headstart.data.documents import list_corpus_files
from headstart.data.text_corpus import HeldOut, TextCorpus, TextList
from headstart.data.texts import make_text_key
from headstart.data.token_blocks import FewTokensError, TokenBlocks, build_token_blocks
from headstart.errors import DataError
from headstart.prepared import PreparedRun

#: Share of the different texts that measure the language model and do not train it.
_HELD_OUT: Final = 0.05
#: Parts of which no text is ever pretrained on.
_UNSEEN: Final[tuple[Part, ...]] = ("valid", "test")


@dataclass(frozen=True)
class AdaptationTexts:
    """The unlabelled texts: all training examples, and those of `adapt.text`; one side of a division."""

    training: TextList
    more: TextCorpus | None
    unseen: frozenset[bytes]
    held_out: HeldOut | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all texts and of the side."""
        parts = (self.training.digest, self.more.digest if self.more else "", str(self.held_out))
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def iterate(self) -> Iterator[str]:
        """The texts.

        Raises:
            DataError: a text of `adapt.text` is one of valid or test.
        """
        for text in self._iterate_all():
            if self.held_out is None or self.held_out.holds(text):
                yield text

    def check_unchanged(self) -> None:
        """See that the files of `adapt.text` are those whose digest was taken."""
        if self.more:
            self.more.check_unchanged()

    def _iterate_all(self) -> Iterator[str]:
        yield from self.training.iterate()
        for number, text in enumerate(self.more.iterate() if self.more else (), 1):
            if _make_key(text) in self.unseen:
                raise DataError(
                    f"document {number:,} is an example of valid or test: {text[:60]!r}",
                    where="adapt.text",
                    expected="texts that neither part has",
                    fix="take the texts of valid and test out of the files",
                )
            yield text


def _make_key(text: str) -> bytes:
    return hashlib.sha256(make_text_key(text).encode()).digest()


def check_files(study: Study) -> None:
    """See that something is at each path of `adapt.text`, before a folder is made; reads none of it.

    Raises:
        DataError: nothing is, or nothing that can be read.
    """
    for path in study.adapt.text:
        list_corpus_files(Path(path))


def collect_texts(study: Study, corpus: Corpus) -> AdaptationTexts:
    """All training texts, whatever the size of a run: no label of them is read."""
    generates = get_task_traits(study.task).generates

    def read(part: Part) -> Iterator[str]:
        texts = corpus.parts[part].texts
        return ("\n".join(list_contents(text, generates=generates)) for text in texts)

    unseen: frozenset[bytes] = frozenset()
    more = TextCorpus(tuple(map(Path, study.adapt.text))) if study.adapt.text else None
    if more:
        unseen = frozenset(_make_key(text) for part in _UNSEEN for text in read(part))
    return AdaptationTexts(TextList(list(read("train"))), more, unseen)


def build_blocks(prepared: PreparedRun, block: int) -> tuple[TokenBlocks, TokenBlocks]:
    """What trains, and what measures: a part of the training texts; all of them where that fills no block.

    Raises:
        DataError: all do not fill one, or a text of `adapt.text` cannot be used.
    """
    texts = collect_texts(prepared.study.study, prepared.study.corpus)
    build = partial(build_token_blocks, tokenizer=prepared.checkpoint.tokenizer, block=block)
    sides = [
        AdaptationTexts(texts.training, texts.more, texts.unseen, HeldOut(_HELD_OUT, 0, side))
        for side in ("train", "valid")
    ]
    try:
        return build(sides[0]), build(sides[1])
    except FewTokensError:
        pass
    try:
        whole = build(texts)
    except FewTokensError as error:
        raise error.name_key("adapt.block", "name files with more text as adapt.text") from error
    return whole, whole
