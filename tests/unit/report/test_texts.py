"""What examples look like on a terminal: labels with their counts, numbers, and lengths."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from headstart.data.corpus import Part
from headstart.data.distributions import Bar
from headstart.data.labels.base import LabelStatistics
from headstart.data.statistics import DataStatistics, LengthStatistics, PartLengths
from headstart.report.texts import describe_lengths, render_labels

PARTS: tuple[Part, ...] = ("train", "valid", "test")


def shown(labels: LabelStatistics, train: int = 8) -> list[str]:
    data = DataStatistics("classification", {"train": train, "valid": 4, "test": 4}, (), labels, {})
    console = Console(file=(stream := StringIO()), width=100)
    for part in render_labels(data):
        console.print(part)
    lines = (" ".join(line.split()) for line in stream.getvalue().splitlines())
    return [line for line in lines if line and not set(line) <= set("─╶╴ ━")]


def counts(train: int, valid: int, test: int) -> dict[Part, int]:
    return {"train": train, "valid": valid, "test": test}


def test_labels_are_sorted_by_how_often_they_stand_in_train() -> None:
    assert shown(LabelStatistics({"rare": counts(2, 1, 0), "usual": counts(6, 3, 4)})) == [
        "label train valid test",
        "usual 6 ████████████ 75.0% 3 4",
        "rare 2 ████ 25.0% 1 0",
    ]


def test_of_many_labels_the_rare_ones_are_summed_up() -> None:
    labels = LabelStatistics({f"l{i:02}": counts(20 - i, 1, 2) for i in range(15)})
    lines = shown(labels, 195)
    assert lines[1].startswith("l00 20 ")
    assert lines[-1] == f"3 more {8 + 7 + 6} 3 6"
    assert len(lines) == 1 + 12 + 1


def test_sets_of_labels_tell_how_many_an_example_has() -> None:
    lines = shown(LabelStatistics({"a": counts(6, 3, 4)}, {"train": 1.25, "valid": 1.0, "test": 0.5}))
    assert lines[-3:] == [
        f"labels per text, {part}: {mean} on average"
        for part, mean in (("train", "1.25"), ("valid", "1.00"), ("test", "0.50"))
    ]


def test_numbers_are_a_histogram() -> None:
    quantiles = {"min": 0.5, "median": 2, "max": 4.5}
    labels = LabelStatistics(
        quantiles=dict.fromkeys(PARTS, quantiles), histogram=(Bar(0.5, 2.5, 3), Bar(2.5, 4.5, 6))
    )
    assert shown(labels) == [
        "labels of train: 0.5 to 4.5, median 2",
        "0.5 to 2.5 ████████████ 3",
        "2.5 to 4.5 ████████████████████████ 6",
    ]


def test_answers_have_no_labels_to_show() -> None:
    assert shown(LabelStatistics()) == []


def test_lengths_are_told_for_each_tokenizer_and_limit() -> None:
    of_part = PartLengths(12.34, 0, {"median": 11, "p95": 20, "max": 30})
    lengths = LengthStatistics(64, dict.fromkeys(PARTS, of_part), (Bar(1, 31, 8),))
    lines = list(describe_lengths({"m (at most 64)": lengths, "n (at most 32)": lengths}))
    assert lines[:3] == [
        "tokens per training text, for m (at most 64):",
        "  mean 12.3, median 11, 95% of texts up to 20, longest 30",
        "  1 - 30  ████████████████████████ 8",
    ]
    assert lines[3] == "tokens per training text, for n (at most 32):"
    assert len(lines) == 6
