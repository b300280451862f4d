"""Settings of a first study fit how many texts there are, how long they are, and what the model takes."""

from __future__ import annotations

import pytest

from headstart.config.first_settings import choose_settings
from headstart.config.study import Training, Tune


@pytest.mark.parametrize(
    ("texts", "generates", "batch_size", "epochs"),
    [
        (1, False, 8, 20),
        (40, False, 8, 20),
        (700, False, 16, 14),
        (3200, False, 16, 3),
        (700_000, False, 16, 3),
        (60, True, 4, 5),
        (400, True, 4, 3),
        (50_000, True, 4, 2),
    ],
)
def test_few_texts_are_passed_more_often(texts: int, generates: bool, batch_size: int, epochs: int) -> None:
    settings = choose_settings(texts, 20, limit=None, generates=generates)
    assert (settings.batch_size, settings.epochs) == (batch_size, epochs)


@pytest.mark.parametrize(
    ("long_tokens", "limit", "generates", "max_length", "cuts"),
    [
        (10, None, False, 64, False),
        (65, None, False, 128, False),
        (900, None, False, 512, True),
        (900, None, True, 1024, False),
        (5000, None, True, 1024, True),
        (10, 40, False, 40, False),
        (10, None, True, 256, False),
        (900, 256, True, 256, True),
        (300, 8192, False, 512, False),
    ],
)
def test_length_leaves_room_for_all_but_the_longest(
    long_tokens: int, limit: int | None, generates: bool, max_length: int, cuts: bool
) -> None:
    settings = choose_settings(100, long_tokens, limit=limit, generates=generates)
    assert (settings.max_length, settings.cuts_texts) == (max_length, cuts)


@pytest.mark.parametrize("generates", [False, True])
def test_settings_are_those_of_a_study(generates: bool) -> None:
    settings = choose_settings(100, 20, limit=None, generates=generates)
    Training(batch_size=settings.batch_size, epochs=settings.epochs, max_length=settings.max_length)
    rates = tuple(map(float, settings.learning_rates))
    assert Tune(learning_rate=rates).axes == {"learning_rate": tuple(sorted(rates))}
