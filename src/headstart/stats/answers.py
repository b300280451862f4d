"""Written answers against their references, one by one: exact match, chrF with its counts, SQuAD's token F1.

White space at the ends never counts. Shapes: N answers, O = 6 orders of character n-grams.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sacrebleu.metrics.helpers import extract_all_char_ngrams

from headstart.stats.metrics import divide_or_zero

#: chrF2 as sacrebleu has it by default: n-grams of 1 to 6 characters without spaces, recall counts twice.
_ORDER: Final = 6
_BETA_SQUARED: Final = 4.0
_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
#: Letters of scripts that part no words: Thai, Lao, Myanmar, Khmer, Japanese, Chinese.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_PUNCTUATION: Final = frozenset(string.punctuation)


@dataclass(frozen=True)
class AnswerMeasures:
    """What each of N answers is worth: `exact_match` and `token_f1` from 0 to 1, [N], and `chrf_counts`.

    These, [N, 3O], are the counts of `compute_chrf`, whose sums over answers give the corpus's figure.
    """

    exact_match: np.ndarray
    chrf_counts: np.ndarray
    token_f1: np.ndarray

    @property
    def chrf(self) -> np.ndarray:
        """Of each answer alone, 0 to 100, [N]: sacrebleu's `sentence_chrf`."""
        return compute_chrf(self.chrf_counts)


def measure_answers(answers: Sequence[str], references: Sequence[str]) -> AnswerMeasures:
    """Each answer against the one reference it has."""
    pairs = [(a.strip(), b.strip()) for a, b in zip(answers, references, strict=True)]
    return AnswerMeasures(
        exact_match=np.array([float(answer == reference) for answer, reference in pairs]),
        chrf_counts=np.array([_count_ngrams(*pair) for pair in pairs], np.int64).reshape(-1, 3 * _ORDER),
        token_f1=np.array([compute_token_f1(*pair) for pair in pairs], float),
    )


def _count_ngrams(answer: str, reference: str) -> list[int]:
    """By order: n-grams of the answer, of the reference, and those in both.

    An answer's longer than the reference are left out, as sacrebleu does.
    """
    texts = (extract_all_char_ngrams(text, _ORDER, include_whitespace=False) for text in (answer, reference))
    counts = list[int]()
    for ours, theirs in zip(*texts, strict=True):
        counts += [ours.total() if theirs else 0, theirs.total(), (ours & theirs).total()]
    return counts


def compute_chrf(counts: np.ndarray) -> np.ndarray:
    """chrF2, 0 to 100, of counts [..., 3O]: Popović 2015, as sacrebleu computes it.

    Precision and recall are means over the orders that both texts have; 0 where they have none in common, as
    where a text is empty.
    """
    answer, reference, both = np.moveaxis(np.reshape(counts, (*np.shape(counts)[:-1], _ORDER, 3)), -1, 0)
    is_known = (answer > 0) & (reference > 0)
    orders = is_known.sum(-1)
    precision, recall = (
        divide_or_zero((divide_or_zero(both, whole) * is_known).sum(-1), orders)
        for whole in (answer, reference)
    )
    weighted = _BETA_SQUARED * precision + recall
    return 100 * divide_or_zero((1 + _BETA_SQUARED) * precision * recall, weighted)


def compute_token_f1(answer: str, reference: str) -> float:
    """F1 of the words that both have, 0 to 1: that of SQuAD's evaluation (Rajpurkar et al. 2016, 2018).

    Words are what white space parts, in lower case, without ASCII punctuation and English articles. Where
    either text has none, 1 if both have none, else 0.
    """
    ours, theirs = split_words(answer), split_words(reference)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))


def count_unspaced(texts: Sequence[str]) -> int:
    """How many are in a script without spaces between words, where token F1 takes a sentence for a word."""
    return sum(_UNSPACED.search(text) is not None for text in texts)


def split_words(text: str) -> list[str]:
    """The words that `compute_token_f1` compares."""
    bare = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return _ARTICLES.sub(" ", bare).split()
