"""Makes what fairseq and its tokenizers leave behind: dictionaries, SentencePiece models, indexes."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

SENTENCES = (
    "le petit chat dort sur le tapis rouge",
    "un beau roman que l'on lit d'une traite",
    "ce livre est un peu long, mais très beau",
    "les personnages sont attachants et drôles",
    "je n'ai pas aimé la fin de cette histoire",
    "une écriture simple, directe et fidèle au style de l'auteur",
    "quelle déception ! le chat ne parle pas du tout",
    "la lecture est agréable et le sujet est fort",
)
#: Characters that the models below have not seen: alone, and in a run.
UNSEEN = ("un chat à 4 pattes", "en 1944 un roman", "un § beau §§ livre")


@cache
def train_sentencepiece(kind: str, size: int = 90, **options: Any) -> bytes:
    """A SentencePiece model of kind `unigram` or `bpe`."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        minloglevel=2,
        hard_vocab_limit=False,
        **options,
    )
    return model.getvalue()


def load_sentencepiece(model: bytes) -> Any:
    """The model itself, which is the oracle."""
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def write_dictionary_of(lines: Iterable[Iterable[str]], path: Path, *, multiple: int = 8) -> None:
    """`dict.txt` of texts in pieces as fairseq's `Dictionary.finalize` makes it: by count, padded."""
    counts = Counter(piece for line in lines for piece in line)
    rows = [
        f"{piece} {count}" for piece, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    made_up = -(len(rows) + 4) % multiple
    rows += [f"madeupword{i:04d} 0" for i in range(made_up)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def write_mapped(prefix: Path, rows: Sequence[Sequence[int]], code: int = 8, kind: str = "<u2") -> None:
    """`.bin` and `.idx` of fairseq's `MMapIndexedDatasetBuilder`, byte by byte."""
    size, place = np.dtype(kind).itemsize, 0
    index = b"MMIDIDX\x00\x00" + struct.pack("<QBQ", 1, code, len(rows))
    index += b"".join(struct.pack("<i", len(row)) for row in rows)
    for row in rows:
        index += struct.pack("<q", place)
        place += len(row) * size
    _write(prefix, index, b"".join(np.array(row, kind).tobytes() for row in rows))


def write_older(prefix: Path, rows: Sequence[Sequence[int]], code: int = 4, kind: str = "<i4") -> None:
    """`.bin` and `.idx` of fairseq's `IndexedDatasetBuilder`, which stores each id plus 1."""
    size = np.dtype(kind).itemsize
    index = b"TNTIDX\x00\x00" + struct.pack("<QQQQQ", 1, code, size, len(rows), len(rows))
    index += np.arange(len(rows) + 1, dtype="<i8").tobytes()
    index += np.cumsum([0, *map(len, rows)]).astype("<i8").tobytes()
    index += np.array([len(row) for row in rows], "<i8").tobytes()
    _write(prefix, index, b"".join((np.array(row, np.int64) + 1).astype(kind).tobytes() for row in rows))


def _write(prefix: Path, index: bytes, data: bytes) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.idx").write_bytes(index)
    prefix.with_name(f"{prefix.name}.bin").write_bytes(data)
