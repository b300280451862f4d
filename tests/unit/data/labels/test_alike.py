"""Labels that people would take for one are found, and shown so that they can be told apart."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from headstart.data.labels.alike import find_alike, make_alike_key, name_alike


def messages(*names: str) -> list[str]:
    return [warning.message for warning in find_alike(names)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("Positive", "positive"),
            "labels 'Positive' and 'positive' differ in case: are they the same label?",
        ),
        (
            ("sci  fi", "sci fi"),
            "labels 'sci  fi' and 'sci fi' differ in spaces or invisible characters",
        ),
        (("a", "a\u200b"), "labels 'a' and 'a\\u200b' differ in spaces or invisible characters"),
        (
            ("caf\u00e9", "cafe\u0301"),
            "labels 'caf\\xe9' and 'cafe\\u0301' differ in Unicode encoding",
        ),
        (("\uff21", "A"), "labels '\uff21' and 'A' differ in Unicode encoding (normalization)"),
        (("1", "1.0", "01"), "labels '1' and '1.0' and '01' differ in how a number is written"),
        (("\uff21 b", "a  b"), "labels '\uff21 b' and 'a  b' differ in case, spaces or Unicode encoding"),
    ],
)
def test_alike_names_are_warned_of(names: tuple[str, ...], message: str) -> None:
    (found,) = messages(*names)
    assert found.startswith(message)


@pytest.mark.parametrize("names", [("a", "b"), ("1", "2"), ("nan", "inf"), ("\u00e9", "e"), ("C", "C++"), ()])
def test_different_names_are_not(names: tuple[str, ...]) -> None:
    assert messages(*names) == []


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_normal_form_has_one_key(form: Any) -> None:
    for name in ("caf\u00e9", "\u1e69", "\ufb01lm", "\u00c5ngstr\u00f6m", "\ud55c\uad6d\uc5b4", "1\u00bd"):
        changed = unicodedata.normalize(form, name)
        assert make_alike_key(changed) == make_alike_key(name) == make_alike_key(f" {name.upper()} ")


def test_many_groups_are_counted() -> None:
    found = messages(*(name for c in "abcdefg" for name in (c, c.upper())))
    assert (len(found), found[-1]) == (6, "2 more groups of similar labels")


def test_known_name_that_is_alike_is_found() -> None:
    assert name_alike("POS", ["neg", "pos"]) == "pos"
    assert name_alike("x", ["neg", "pos"]) is None
