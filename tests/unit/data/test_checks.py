"""A corpus holds what a model can learn from; what cannot be learnt is refused, the rest noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.config.study import Study
from headstart.data.checks import load_corpus
from headstart.data.corpus import Corpus
from headstart.errors import DataError

Line = tuple[Any, Any]
PLAIN: list[Line] = [("a", "x"), ("b", "y"), ("c", "x"), ("d", "y")]


def study(folder: Path, parts: dict[str, list[Line]], data: dict[str, Any], **more: Any) -> Study:
    """A study of (text, label) lines written as JSON; a mapping as label gives several columns."""
    files = {}
    for part, lines in parts.items():
        files[part] = str(folder / f"{part}.jsonl")
        cells = [
            {
                **({"p": text[0], "q": text[1]} if isinstance(text, tuple) else {"text": text}),
                **(label if isinstance(label, dict) else {"label": label}),
            }
            for text, label in lines
        ]
        Path(files[part]).write_text("".join(json.dumps(cell) + "\n" for cell in cells), encoding="utf-8")
    return Study.model_validate({"data": {**files, **data}, "model": "m", **more})


def corpus(
    folder: Path,
    train: list[Line],
    valid: list[Line] | None = None,
    test: list[Line] | None = None,
    data: dict[str, Any] | None = None,
    **more: Any,
) -> Corpus:
    parts = {"train": train, "valid": valid or [("v", train[0][1])], "test": test or [("t", train[0][1])]}
    return load_corpus(study(folder, parts, data or {}, **more))


def notices(loaded: Corpus, kind: str) -> list[str]:
    return [notice.message for notice in loaded.warnings if notice.kind == kind]


def refused(folder: Path, *args: Any, **more: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        corpus(folder, *args, **more)
    return caught.value


def test_classes_become_indices_into_their_names(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [("a", "pos"), ("b", "neg"), ("c", "pos")])
    assert loaded.label_names == ("neg", "pos")
    assert loaded.parts["train"].labels.tolist() == [1, 0, 1]
    assert (loaded.parts["train"].labels.dtype, loaded.num_outputs) == (np.dtype(np.int64), 2)
    assert (list(loaded.parts["train"].texts), list(loaded.parts["train"].ids)) == (
        ["a", "b", "c"],
        [0, 1, 2],
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 2, 1], ("1", "2", "10")),
        (["10", "2", "b", "-1"], ("-1", "2", "10", "b")),
        ([0.0, 1.0], ("0", "1")),
        ([True, False], ("False", "True")),
        ([" x", "x ", "y"], ("x", "y")),
        (["3", "nan", "1", "2"], ("1", "2", "3", "nan")),
    ],
)
def test_class_names_stand_in_natural_order(
    tmp_path: Path, labels: list[Any], names: tuple[str, ...]
) -> None:
    train = [(f"text {i}", label) for i, label in enumerate(labels)]
    assert corpus(tmp_path, train).label_names == names


@pytest.mark.parametrize(
    ("labels", "cells"),
    [
        ([1, 0], "int"),
        ([1.0, 0], "int"),
        ([1.5, 0], "float"),
        ([True, False], "bool"),
        (["1", "0"], "text"),
        ([1, "0"], "text"),
        ([True, 0], "text"),
        ([2**60, 1], "text"),
    ],
)
def test_type_of_labels_is_known(tmp_path: Path, labels: list[Any], cells: str) -> None:
    train = [(f"text {i}", label) for i, label in enumerate(labels)]
    assert corpus(tmp_path, train).label_cells == cells
    if cells != "float":  # no name in a list, but perhaps a probability
        sets = [(text, [label]) for text, label in train]
        assert corpus(tmp_path, sets, task="multi-label").label_cells == cells


def test_places_of_zero_and_one_are_no_numbers(tmp_path: Path) -> None:
    train: list[Line] = [("a", [1, 0, 1]), ("b", [0, 1, 0])]
    loaded = corpus(tmp_path, train, task="multi-label")
    assert (loaded.label_names, loaded.label_cells) == (("0", "1", "2"), "text")
    assert loaded.parts["train"].labels.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_one_file_is_split_in_three(tmp_path: Path) -> None:
    lines: list[Line] = [(f"text {i}", "xy"[i % 2]) for i in range(100)]
    loaded = load_corpus(study(tmp_path, {"path": lines}, {}))
    assert {part: len(examples) for part, examples in loaded.parts.items()} == {
        "train": 70,
        "valid": 10,
        "test": 20,
    }
    assert [loaded.parts["test"].labels.tolist().count(c) for c in (0, 1)] == [10, 10]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_label_absent_from_train_is_refused(tmp_path: Path, part: str) -> None:
    error = refused(tmp_path, PLAIN, **{part: [("v", "x"), ("w", "z")]})
    assert error.got == "label 'z' is in no training example"
    assert (error.where, error.expected) == (f"{tmp_path}/{part}.jsonl:2", "one of x, y")


def test_single_class_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, [("a", "x"), ("b", "x")])
    assert error.got == "a single class, 'x', in the training examples"


@pytest.mark.parametrize("label", [None, float("nan"), "", "  "])
@pytest.mark.parametrize("part", ["train", "test"])
def test_missing_label_is_refused(tmp_path: Path, label: object, part: str) -> None:
    parts = {"train": PLAIN, part: [*PLAIN, ("e", label)]}
    error = refused(tmp_path, **parts)
    assert error.got == "no label (empty, null or NaN)"
    assert error.where == f"{tmp_path}/{part}.jsonl:5"


def test_several_labels_need_the_multi_label_task(tmp_path: Path) -> None:
    error = refused(tmp_path, [("a", ["x", "y"]), ("b", ["x"])])
    assert (error.got, error.fix) == ("label ['x', 'y'] contains several labels", "set task: multi-label")


def test_empty_text_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, [("a", "x"), (" ", "y")]).got == "empty text in column 'text'"


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_empty_part_is_refused(tmp_path: Path, part: str) -> None:
    parts = {"train": PLAIN, "valid": PLAIN, "test": PLAIN, part: []}
    with pytest.raises(DataError, match=rf"/{part}\.jsonl: no rows"):
        load_corpus(study(tmp_path, parts, {}))


def test_size_above_the_training_texts_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, PLAIN, sizes=[4, 5, "all"])
    assert error.got == "size 5 is more than the 4 training examples"


def test_size_of_all_training_texts_is_let_through(tmp_path: Path) -> None:
    assert len(corpus(tmp_path, PLAIN, sizes=[4]).parts["train"]) == 4


def test_sizes_too_far_apart_to_read_between_are_warned_of(tmp_path: Path) -> None:
    many = [(f"text {i}", "xy"[i % 2]) for i in range(40)]
    (warning,) = corpus(tmp_path, many, sizes=[2, 6, "all"]).warnings
    assert warning.kind == "sizes-apart"
    assert warning.message.startswith("sizes: no number of labels between 6 and 40, more than a factor of 3")
    assert corpus(tmp_path, many, sizes=[4, 12, 36]).warnings == ()


def test_regression_labels_are_numbers(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [("a", 1.5), ("b", "-2"), ("c", 3)], task="regression")
    assert loaded.parts["train"].labels.tolist() == [1.5, -2.0, 3.0]
    assert loaded.parts["train"].labels.dtype == np.float32
    assert (loaded.label_names, loaded.num_outputs) == ((), 1)


@pytest.mark.parametrize("label", [None, float("nan"), float("inf"), "", "good", [1]])
def test_regression_label_that_is_no_number_is_refused(tmp_path: Path, label: object) -> None:
    error = refused(tmp_path, [("a", 1), ("b", label)], task="regression")
    assert (error.got, error.expected) == (f"label {label!r}", "a finite number")
    assert error.where == f"{tmp_path}/train.jsonl:2"


def test_regression_on_one_value_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, [("a", 2), ("b", 2)], task="regression").got == "every training label is 2"


NOTATIONS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "list": ([["x", "y"], ["y"], []], {}),
    "separator": (["x| y", "y", ""], {}),
    "own separator": (["x, y", "y", ""], {"label_separator": ","}),
    "0/1 columns": ([{"x": 1, "y": 1}, {"x": 0, "y": 1}, {"x": 0, "y": 0}], {"label": ["x", "y"]}),
    "true/false columns": (
        [{"x": True, "y": "1"}, {"x": "0.0", "y": 1.0}, {"x": False, "y": "false"}],
        {"label": ["x", "y"]},
    ),
}


@pytest.mark.parametrize(("labels", "data"), NOTATIONS.values(), ids=NOTATIONS.keys())
def test_multi_label_notations_mean_the_same(tmp_path: Path, labels: list[Any], data: dict[str, Any]) -> None:
    train = list(zip("abc", labels, strict=True))
    loaded = corpus(tmp_path, train, data=data, task="multi-label")
    assert (loaded.label_names, loaded.num_outputs) == (("x", "y"), 2)
    assert loaded.parts["train"].labels.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert loaded.parts["train"].labels.dtype == np.float32


def test_label_columns_keep_the_studys_order(tmp_path: Path) -> None:
    train: list[Line] = [("a", {"y": 1, "x": 0}), ("b", {"y": 0, "x": 1})]
    loaded = corpus(tmp_path, train, data={"label": ["y", "x"]}, task="multi-label")
    assert loaded.label_names == ("y", "x")
    assert loaded.parts["train"].labels.tolist() == [[1, 0], [0, 1]]


def test_flag_that_is_neither_0_nor_1_is_refused(tmp_path: Path) -> None:
    train: list[Line] = [("a", {"x": 1, "y": 0}), ("b", {"x": 2, "y": 0})]
    error = refused(tmp_path, train, data={"label": ["x", "y"]}, task="multi-label")
    assert (error.got, error.where) == ("2 in column 'x'", f"{tmp_path}/train.jsonl:2")


@pytest.mark.parametrize("label", [None, float("nan")])
def test_missing_labels_are_refused(tmp_path: Path, label: object) -> None:
    error = refused(tmp_path, [("a", "x"), ("b", label)], task="multi-label")
    assert error.got == "no labels (null or NaN)"


@pytest.mark.parametrize(
    ("train", "data"),
    [
        ([("a", ""), ("b", "")], {}),
        ([("a", []), ("b", [])], {}),
        ([("a", {"x": 0, "y": 0}), ("b", {"x": 0, "y": 0})], {"label": ["x", "y"]}),
    ],
    ids=["separator", "list", "columns"],
)
def test_training_texts_without_any_label_are_refused(
    tmp_path: Path, train: list[Line], data: dict[str, Any]
) -> None:
    error = refused(tmp_path, train, data=data, task="multi-label")
    assert error.got == "no training text has a label"


@pytest.mark.parametrize(
    ("x", "y", "data"),
    [
        ("x", "x|y", {}),
        (["x"], ["y"], {}),
        ({"x": 1, "y": 0}, {"x": 0, "y": 1}, {"label": ["x", "y"]}),
    ],
    ids=["separator", "list", "columns"],
)
def test_multi_label_absent_from_train_is_refused(
    tmp_path: Path, x: object, y: object, data: dict[str, Any]
) -> None:
    error = refused(tmp_path, [("a", x), ("b", x)], test=[("c", y)], data=data, task="multi-label")
    assert (error.got, error.where) == ("label 'y' is in no training example", f"{tmp_path}/test.jsonl:1")


def test_pair_keeps_both_texts(tmp_path: Path) -> None:
    train: list[Line] = [(("a", "b"), "x"), (("c", "d"), "y")]
    loaded = corpus(tmp_path, train, [(("e", "f"), "x")], [(("g", "h"), "y")], data={"text": ["p", "q"]})
    assert list(loaded.parts["train"].texts) == [("a", "b"), ("c", "d")]
    assert loaded.warnings == ()


def test_clean_data_gives_no_notice(tmp_path: Path) -> None:
    assert corpus(tmp_path, PLAIN).warnings == ()


def test_duplicates_are_noticed_whatever_their_spaces(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [*PLAIN, ("a", "x"), ("b ", "y"), ("e  f", "x"), ("e f", "x")])
    assert notices(loaded, "duplicates") == [
        "3 texts of train (37.5%) repeat an earlier one of the same part"
    ]


def test_single_duplicate_is_told_in_the_singular(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, PLAIN, test=[("t", "x"), ("t", "x")])
    assert notices(loaded, "duplicates") == [
        "1 text of test (50.0%) repeats an earlier one of the same part: identical texts count as one group"
    ]


def test_repeats_that_count_by_themselves_are_told_so(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, PLAIN, test=[("t", "x"), ("t", "x")], data={"group": None})
    assert notices(loaded, "duplicates") == ["1 text of test (50.0%) repeats an earlier one of the same part"]
    assert loaded.parts["test"].groups is None


def test_groups_and_repeats_change_no_digest(tmp_path: Path) -> None:
    test: list[Line] = [("t", {"label": "x", "group": "a"}), ("t", {"label": "x", "group": "b"})]
    grouped = corpus(tmp_path, PLAIN, test=test)
    assert grouped.parts["test"].groups is not None
    plain = corpus(tmp_path, PLAIN, test=[("t", "x"), ("t", "x")], data={"group": None})
    assert plain.parts["test"].groups is None
    assert grouped.digest == plain.digest


def test_pairs_that_share_their_words_are_no_duplicates(tmp_path: Path) -> None:
    train: list[Line] = [(("a b", "c"), "x"), (("a", "b c"), "y")]
    loaded = corpus(tmp_path, train, [(("d", "e"), "x")], [(("a  b", "c"), "x")], data={"text": ["p", "q"]})
    assert notices(loaded, "duplicates") == []
    assert notices(loaded, "leak") == [
        "1 text of test (100.0%) is also in train; remove them from test or from train: they inflate scores"
    ]


def test_leak_is_noticed(tmp_path: Path) -> None:
    test: list[Line] = [("a", "x"), (" b", "y"), ("t", "x"), ("u", "x")]
    assert notices(corpus(tmp_path, PLAIN, test=test), "leak") == [
        "2 texts of test (50.0%) are also in train; remove them from test or from train: they inflate scores"
    ]


def test_leak_with_another_label_is_told(tmp_path: Path) -> None:
    valid: list[Line] = [("a", "y"), ("b", "y")]
    assert notices(corpus(tmp_path, PLAIN, valid=valid), "leak") == [
        (
            "2 texts of valid (100.0%) are also in train, 1 of them with another label; remove them from "
            "valid or from train: they inflate scores"
        )
    ]


def test_text_on_both_labels_in_train_is_no_other_label(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [*PLAIN, ("a", "y")], valid=[("a", "y")])
    assert notices(loaded, "leak") == [
        "1 text of valid (100.0%) is also in train; remove them from valid or from train: they inflate scores"
    ]


@pytest.mark.parametrize(("common", "noticed"), [(19, False), (20, True)])
def test_imbalance_is_noticed_from_ten_to_one(tmp_path: Path, common: int, noticed: bool) -> None:
    train: list[Line] = [(f"text {i}", "big") for i in range(common)] + [("p", "small"), ("q", "small")]
    expected = (
        f"class 'big' has {common} training examples, 'small' has 2: "
        "use macro_f1 or balanced_accuracy alongside accuracy"
    )
    assert notices(corpus(tmp_path, train), "imbalance") == ([expected] if noticed else [])


def test_digest_is_the_same_for_the_same_data(tmp_path: Path) -> None:
    first = corpus(tmp_path, PLAIN).digest
    assert corpus(tmp_path, PLAIN).digest == first
    assert len(first) == 64


@pytest.mark.parametrize(
    "other",
    [
        [("A", "x"), *PLAIN[1:]],
        [("a", "y"), *PLAIN[1:]],
        PLAIN[:3],
        PLAIN[::-1],
        [("a", "x"), ("b", "z"), ("c", "x"), ("d", "z")],
    ],
    ids=["text", "label", "fewer", "order", "name"],
)
def test_digest_depends_on_all_of_the_data(tmp_path: Path, other: list[Line]) -> None:
    same: list[Line] = [("v", "x")]
    assert corpus(tmp_path, PLAIN, same, same).digest != corpus(tmp_path, other, same, same).digest


@pytest.mark.parametrize(("train", "valid"), [(1, "1"), (1.0, 1), (" x", "x")])
def test_leak_with_the_same_label_written_otherwise_is_no_other_label(
    tmp_path: Path, train: object, valid: object
) -> None:
    loaded = corpus(tmp_path, [("a", train), ("b", "y")], valid=[("a", valid)])
    assert notices(loaded, "leak") == [
        "1 text of valid (100.0%) is also in train; remove them from valid or from train: they inflate scores"
    ]


def test_leak_of_the_same_labels_in_another_order_is_no_other_label(tmp_path: Path) -> None:
    loaded = corpus(
        tmp_path, [("a", ["x", "y"]), ("b", ["x"])], valid=[("a", ["y", "x"])], task="multi-label"
    )
    assert notices(loaded, "leak") == [
        "1 text of valid (100.0%) is also in train; remove them from valid or from train: they inflate scores"
    ]


def test_leak_of_the_same_number_is_no_other_label(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [("a", 1), ("b", 2)], valid=[("a", "1.0")], task="regression")
    assert notices(loaded, "leak") == [
        "1 text of valid (100.0%) is also in train; remove them from valid or from train: they inflate scores"
    ]


def test_names_in_a_list_are_stripped(tmp_path: Path) -> None:
    loaded = corpus(tmp_path, [("a", [" x", "y "]), ("b", ["x", 1.0])], task="multi-label")
    assert loaded.label_names == ("1", "x", "y")


@pytest.mark.parametrize("name", [None, "", " ", float("nan")])
def test_name_in_a_list_that_is_none_is_refused(tmp_path: Path, name: object) -> None:
    error = refused(tmp_path, [("a", ["x", name]), ("b", ["x"])], task="multi-label")
    assert (error.got, error.where) == (f"{name!r} in a list of labels", f"{tmp_path}/train.jsonl:1")


def test_regression_label_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, [("a", 1), ("b", -1e39)], task="regression")
    assert (error.got, error.where) == ("label -1e+39 is too large", f"{tmp_path}/train.jsonl:2")


def test_repeat_with_another_label_is_told(tmp_path: Path) -> None:
    train: list[Line] = [*PLAIN, (PLAIN[0][0], "x"), (PLAIN[0][0], "y")]
    (told,) = notices(corpus(tmp_path, train), "duplicates")
    assert told.endswith("repeat an earlier one of the same part, 1 of them with another label")
