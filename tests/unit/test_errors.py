"""Errors say what, where, what was expected and what to do, and survive the way out of a worker."""

from __future__ import annotations

import pickle

import pytest

from headstart import errors
from headstart.errors import (
    AssetError,
    DataError,
    HeadstartError,
    MissingExtraError,
    ModelError,
    OutputError,
    Problem,
    StudyError,
    TrainingError,
)

KINDS = [AssetError, DataError, MissingExtraError, ModelError, OutputError, StudyError, TrainingError]


def test_message_has_four_parts() -> None:
    error = DataError("a tab", where="a.csv:3", expected="a comma", fix="replace it")
    assert str(error) == "a.csv:3: a tab\n  expected: a comma\n  fix: replace it"


def test_parts_not_given_are_left_out() -> None:
    assert str(DataError("a tab")) == "a tab"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_headstart_error(kind: type[Exception]) -> None:
    assert issubclass(kind, HeadstartError)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_stands_in_the_tree_of_the_docstring(kind: type[Exception]) -> None:
    assert f"── {kind.__name__} " in (errors.__doc__ or "")


def test_problem_without_key_names_its_place_alone() -> None:
    assert str(Problem("study.yaml", "", "cannot be read")) == "study.yaml: cannot be read"


def test_study_error_prints_one_problem_a_line() -> None:
    error = StudyError((Problem("s.yaml:1", "seeds", "none"), Problem("command line", "out", "absent")))
    assert str(error) == "s.yaml:1: seeds: none\ncommand line: out: absent"


def test_missing_extra_says_what_to_install() -> None:
    error = MissingExtraError("datasets", "hub", "data.hub")
    assert error.got == "data.hub needs the package 'datasets', which is not installed"
    assert error.fix == "in the folder of Headstart's source: pip install -c constraints.txt '.[hub]'"


@pytest.mark.parametrize(
    "error",
    [
        DataError("a tab", where="a.csv:3", expected="a comma", fix="replace it"),
        StudyError((Problem("s.yaml:1", "seeds", "none"),)),
        MissingExtraError("datasets", "hub", "data.hub"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickled_error_comes_back_whole(error: HeadstartError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
