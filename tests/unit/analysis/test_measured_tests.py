"""Answers as metrics of examples: the corpus's chrF with parts by example, and each prompt by itself."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from headstart.analysis.measured_tests import measure_predictions, score_prompts
from headstart.stats.answers import measure_answers
from headstart.store.prediction_tables import Predictions

ANSWERS = ["a cat sat", "dogs", "the sun is up", "", "rain in may", "one two"]
REFERENCES = ["the cat sat", "a dog", "the sun was up", "no", "rain in May", "one two"]


def make_predictions() -> Predictions:
    answers = measure_answers(ANSWERS, REFERENCES)
    ones, stopped = np.ones(6), np.array([1.0, 1, 0, 0, 1, 1])
    return Predictions("answers", ones, answers.exact_match, 0, "d", stopped=stopped, answers=answers)


def test_chrf_of_resamples_is_sacrebleus_of_the_answers_drawn() -> None:
    measure = measure_predictions(make_predictions())["chrf"]
    counts = np.random.default_rng(0).multinomial(6, [1 / 6] * 6, size=20)
    for row, value in zip(counts, measure.on_resamples(counts), strict=True):
        drawn = np.repeat(np.arange(6), row)
        answers, references = ([texts[i] for i in drawn] for texts in (ANSWERS, REFERENCES))
        assert value == pytest.approx(CHRF().corpus_score(answers, [references]).score)


def test_chrfs_parts_are_what_the_corpus_loses_without_an_example() -> None:
    by_example = measure_predictions(make_predictions())["chrf"].by_example
    assert by_example is not None
    whole = CHRF().corpus_score(ANSWERS, [REFERENCES]).score
    without = [
        CHRF().corpus_score(ANSWERS[:i] + ANSWERS[i + 1 :], [REFERENCES[:i] + REFERENCES[i + 1 :]]).score
        for i in range(6)
    ]
    assert by_example.mean() == pytest.approx(whole)
    assert by_example - by_example.mean() == pytest.approx(-5 * (np.array(without) - np.mean(without)))


def test_a_prompt_by_itself_has_the_scores_of_its_one_answer() -> None:
    scores = score_prompts(make_predictions())
    assert scores.keys() == {"exact_match", "chrf", "token_f1"}
    expected = [CHRF().sentence_score(a, [b]).score for a, b in zip(ANSWERS, REFERENCES, strict=True)]
    assert scores["chrf"] == pytest.approx(np.array(expected))


def test_a_conversation_by_itself_has_the_loss_of_a_token() -> None:
    tokens = Predictions(
        "tokens", np.array([4, 2, 0]), np.array([1, 2, 0]), 0, "d", np.array([2.0, 3.0, 0.0])
    )
    scores = score_prompts(tokens)
    assert scores["loss"].tolist() == scores["perplexity"].tolist() == [0.5, 1.5, 0.0]
    assert scores["token_accuracy"].tolist() == [0.25, 1.0, 0.0]


def test_labels_win_no_prompts() -> None:
    classes = Predictions("classes", np.array([0, 1]), np.array([0, 1]), 2, "d", np.zeros(2))
    assert score_prompts(classes) == {}
