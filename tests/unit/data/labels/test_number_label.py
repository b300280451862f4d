"""One number for each example."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.config.study import Data
from headstart.data.corpus import PARTS, Part, Row
from headstart.data.labels.number_label import NumberLabel
from headstart.errors import DataError

DATA = Data(path="a")
KIND = NumberLabel()


def row(label: object) -> Row:
    return Row(0, "f:2", "text", label)


def test_labels_become_numbers_in_32_bits() -> None:
    labels = KIND.encode([row(1.5), row("-2"), row(3)], (), DATA)
    assert (labels.tolist(), labels.dtype) == ([1.5, -2.0, 3.0], np.dtype(np.float32))


@pytest.mark.parametrize("label", [None, float("nan"), float("inf"), "", "good", [1], {"x": 1}])
def test_what_is_no_number_is_refused(label: object) -> None:
    for use in (KIND.make_key, lambda row, data: KIND.encode([row], (), data)):
        with pytest.raises(DataError) as caught:
            use(row(label), DATA)
        assert (caught.value.got, caught.value.where) == (f"label {label!r}", "f:2")


def test_number_beyond_32_bits_is_refused() -> None:
    assert KIND.encode([row(3e38)], (), DATA).tolist() == pytest.approx([3e38])
    with pytest.raises(DataError, match="label -1e\\+39 is too large"):
        KIND.encode([row(-1e39)], (), DATA)


def test_numbers_have_no_names() -> None:
    rows: dict[Part, list[Row]] = {part: [row(1)] for part in PARTS}
    assert KIND.collect_names(rows, DATA) == ()


def test_equal_numbers_have_equal_keys() -> None:
    assert KIND.make_key(row(1), DATA) == KIND.make_key(row("1.0"), DATA)
    assert KIND.make_key(row(1), DATA) != KIND.make_key(row(1.0000000001), DATA)


def test_one_value_cannot_be_learnt() -> None:
    KIND.check_learnable(np.array([1.0, 2.0]), ())
    with pytest.raises(DataError, match="every training label is 2"):
        KIND.check_learnable(np.array([2.0, 2.0]), ())


def test_numbers_have_quantiles_in_each_part_and_a_histogram_of_training() -> None:
    values = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    summary = KIND.summarise(dict(zip(PARTS, values, strict=True)), ())
    assert summary.counts is None
    assert summary.quantiles is not None
    assert {part: quantiles["max"] for part, quantiles in summary.quantiles.items()} == {
        part: part_values.max() for part, part_values in zip(PARTS, values, strict=True)
    }
    assert summary.histogram is not None
    assert (summary.histogram[0].start, summary.histogram[-1].stop) == (values[0].min(), values[0].max())


@pytest.mark.parametrize("label", ["1,5", "30%", "1,000.5", "1_000", "$2"])
def test_number_as_people_write_it_is_told_how_to_be_written(label: str) -> None:
    """Python would take 1_000 for a number."""
    with pytest.raises(DataError) as caught:
        KIND.make_key(row(label), DATA)
    assert caught.value.fix == "write it as a plain decimal, such as 0.5"
