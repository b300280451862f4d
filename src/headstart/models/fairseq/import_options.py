"""Holds what the user says of a checkpoint that is to become a Hugging Face folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: In place of a kind of tokenizer: the folder is to have none.
NO_TOKENIZER: Final = "none"


@dataclass(frozen=True)
class ImportOptions:
    """What cannot be seen from a checkpoint, or is to be other than what is seen.

    `data` is the folder of binarised data, where dictionary, labels and tokenizer may lie; `tokenizer` its
    kind: sentencepiece, gpt2, fastbpe or none.
    """

    head: str | None = None
    data: Path | None = None
    labels: Path | None = None
    tokenizer: str | None = None
    family: str | None = None
