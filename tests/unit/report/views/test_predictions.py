"""Predictions of texts as a data frame, and as a page must show them."""

from __future__ import annotations

from headstart.commands.predict_texts import TextPrediction, TextPredictions

FOUND = TextPredictions("m", (TextPrediction("<b>", "good", {"bad": 0.25, "good": 0.75}),))


def test_a_text_is_a_row_with_its_probabilities() -> None:
    assert FOUND.frame().to_dict("records") == [
        {"text": "<b>", "predicted": "good", "p_bad": 0.25, "p_good": 0.75}
    ]
    pair = TextPredictions("m", (TextPrediction(("one", "two"), 1.5, {}),))
    assert pair.frame().to_dict("records") == [{"text_a": "one", "text_b": "two", "predicted": 1.5}]


def test_it_is_a_line_a_table_and_html() -> None:
    assert repr(FOUND) == "<TextPredictions: m, 1 text>"
    assert "good" in str(FOUND)
    two = TextPredictions("m", FOUND.predictions * 2)
    assert two._repr_html_().count("&lt;b&gt;") == 2
