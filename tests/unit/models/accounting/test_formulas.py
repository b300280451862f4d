"""Formulas are added and evaluated as people read them."""

from __future__ import annotations

import pytest

from headstart.models.accounting.formulas import add_formulas, evaluate, list_symbols

VALUES = {"D": 5, "F": 7, "V": 11}


@pytest.mark.parametrize(
    ("formula", "value"),
    [("D²", 25), ("2·D·F", 70), ("4·D²", 100), ("2·D·F + D", 75), ("V·D", 55), ("", 0), ("3", 3)],
)
def test_a_formula_gives_its_number(formula: str, value: int) -> None:
    assert evaluate(formula, VALUES) == value


def test_an_unknown_symbol_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate("D·Q", VALUES)


def test_like_products_are_added() -> None:
    assert add_formulas(["D", "D", "F", "2·D"]) == "4·D + F"
    assert add_formulas(["D²", "", "D"]) == "D² + D"


def test_a_sum_of_formulas_is_the_sum_of_their_numbers() -> None:
    formulas = ["D", "3·D", "F", "D·F", "2·D·F"]
    assert evaluate(add_formulas(formulas), VALUES) == sum(evaluate(formula, VALUES) for formula in formulas)


def test_symbols_come_in_the_order_of_their_explanation() -> None:
    assert list_symbols(["D·F", "V·D²"]) == ["V", "D", "F"]
