"""Vectors of token ids: counts by hand, PMI by its formula, factors by numpy's decomposition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from headstart.data import cooccurrence
from headstart.data.cooccurrence import compute_ppmi, compute_vectors, count_near, factorise
from headstart.data.tokenise import Tokens


def _make(*texts: list[int]) -> Tokens:
    starts = np.cumsum([0, *map(len, texts)])
    return Tokens(np.concatenate([np.array(text, np.int32) for text in texts]), starts, None, 0)


def _draw(texts: int = 60, ids: int = 30) -> Tokens:
    draws = np.random.default_rng(1)
    lengths = draws.integers(2, 12, size=texts)
    return _make(*(list(10 + draws.integers(ids, size=length) ** 2 // ids) for length in lengths))


def test_tokens_of_one_text_within_the_window_are_near() -> None:
    tokens = _make([1, 7, 8, 9, 2], [1, 7, 3, 2], [1, 2])
    ids, counts = count_near(tokens, left_out={1, 2})
    assert ids.tolist() == [3, 7, 8, 9]
    assert counts.toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]]


def test_counts_are_those_of_a_plain_loop() -> None:
    tokens = _draw()
    ids, counts = count_near(tokens, left_out={12})
    expected = np.zeros(counts.shape)
    for start, end in zip(tokens.starts, tokens.starts[1:], strict=False):
        text = [one for one in tokens.input_ids[start:end] if one != 12]
        for i, one in enumerate(text):
            for j, other in enumerate(text):
                if 0 < abs(i - j) <= cooccurrence.WINDOW:
                    expected[np.searchsorted(ids, one), np.searchsorted(ids, other)] += 1
    assert np.array_equal(counts.toarray(), expected)


def test_ppmi_is_its_formula() -> None:
    counts = count_near(_draw())[1]
    share = counts.toarray() / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(share / np.outer(share.sum(1), share.sum(0)))
    assert compute_ppmi(counts).toarray() == pytest.approx(np.where(pmi > 0, pmi, 0))


@pytest.mark.parametrize("few", [0, 1000])
def test_factors_are_those_of_the_whole_decomposition(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(cooccurrence, "_FEW", few)
    ppmi = compute_ppmi(count_near(_draw())[1])
    found = factorise(sparse.csr_array(ppmi), 4)
    left, strengths, _ = np.linalg.svd(ppmi.toarray())
    expected = left[:, :4] * np.sqrt(strengths[:4])
    assert np.abs(found) == pytest.approx(np.abs(expected), abs=1e-4)
    assert (found[np.abs(found).argmax(0), range(4)] > 0).all()
    assert np.array_equal(found, factorise(sparse.csr_array(ppmi), 4))


def test_an_id_with_no_neighbour_has_no_vector() -> None:
    ids, vectors = compute_vectors(_make([5], [7, 8, 9], [7, 8, 10]), (), 16)
    assert 5 not in ids
    assert vectors.shape == (len(ids), len(ids))
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize(
    "texts", [[[1, 7, 2], [1, 8, 2]], [[1, 7, 7, 2]], [[1, 2]]], ids=["single words", "one word", "no words"]
)
def test_texts_in_which_nothing_is_near_give_no_vectors(texts: list[list[int]]) -> None:
    ids, vectors = compute_vectors(_make(*texts), {1, 2}, 4)
    assert (ids.shape, vectors.shape) == ((0,), (0, 0))
