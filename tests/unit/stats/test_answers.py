"""What answers are worth, beside sacrebleu's chrF and SQuAD's published evaluation."""

from __future__ import annotations

import collections
import re
import string

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from headstart.stats.answers import compute_chrf, compute_token_f1, count_unspaced, measure_answers

PAIRS = [
    ("Paris is the capital.", "The capital is Paris"),
    ("aaa", "aaa"),
    ("", "something"),
    ("something", ""),
    ("", ""),
    ("x", "x"),
    ("ab", "abcdefgh"),
    ("abcdefghij", "ab"),
    ("Die Straße ist lang, sehr lang!", "Die Straße ist lang."),
    ("東京は日本の首都です", "日本の首都は東京です"),
    ("an apple", "apple"),
    ("the", "a"),
    ("ein  Wort\nzwei", "ein Wort zwei"),
    (" end ", "end"),
]


def squad_f1(prediction: str, truth: str) -> float:
    """`compute_f1` of SQuAD's evaluate-v2.0.py (Rajpurkar, Jia & Liang 2018), written out as it is."""

    def normalise(s: str) -> str:
        def remove_articles(text: str) -> str:
            regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
            return re.sub(regex, " ", text)

        def white_space_fix(text: str) -> str:
            return " ".join(text.split())

        def remove_punc(text: str) -> str:
            exclude = set(string.punctuation)
            return "".join(ch for ch in text if ch not in exclude)

        return white_space_fix(remove_articles(remove_punc(s.lower())))

    gold_toks = normalise(truth).split()
    pred_toks = normalise(prediction).split()
    common = collections.Counter(gold_toks) & collections.Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


def test_chrf_of_each_answer_is_sacrebleus() -> None:
    measures = measure_answers(*zip(*PAIRS, strict=True))
    expected = [CHRF().sentence_score(a.strip(), [b.strip()]).score for a, b in PAIRS]
    np.testing.assert_allclose(measures.chrf, expected, rtol=0, atol=1e-10)
    assert len(set(np.round(expected, 6))) > 6, "the pairs differ"


def test_chrf_of_the_corpus_is_that_of_the_sums() -> None:
    answers, references = ([text.strip() for text in side] for side in zip(*PAIRS, strict=True))
    sums = measure_answers(answers, references).chrf_counts.sum(0)
    assert float(compute_chrf(sums)) == pytest.approx(CHRF().corpus_score(answers, [references]).score)


@pytest.mark.parametrize(("answer", "reference"), PAIRS)
def test_token_f1_is_squads(answer: str, reference: str) -> None:
    assert compute_token_f1(answer, reference) == pytest.approx(squad_f1(answer, reference))


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Paris is the capital.", "The capital is Paris", 1.0),  # order, articles, case and a full stop
        ("the big dog", "a dog", 2 / 3),
        ("", "dog", 0.0),
        ("the", "", 1.0),  # nothing but an article is nothing
        ("東京です", "東京", 0.0),  # one word where nothing parts words
        ("東京です。", "東京です", 0.0),  # the full stop is not ASCII's
    ],
)
def test_token_f1_by_hand(answer: str, reference: str, expected: float) -> None:
    assert compute_token_f1(answer, reference) == pytest.approx(expected)


def test_exact_match_is_but_for_white_space_at_the_ends() -> None:
    measures = measure_answers([" end ", "End", "", "a b"], ["end", "end", "", "a  b"])
    assert measures.exact_match.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_of_two_empty_texts_chrf_is_nought_as_sacrebleu_has_it() -> None:
    measures = measure_answers([""], [""])
    assert (measures.chrf[0], measures.exact_match[0], measures.token_f1[0]) == (0.0, 1.0, 1.0)


def test_scripts_without_spaces_are_counted() -> None:
    texts = ["東京です", "これはペンです", "ภาษาไทย", "서울은 수도이다", "Größe", "mostly English, 東", ""]
    assert count_unspaced(texts) == 4


def test_of_no_answers_nothing_is_known() -> None:
    measures = measure_answers([], [])
    assert measures.chrf_counts.shape == (0, 18)
    assert len(measures.chrf) == len(measures.token_f1) == 0
