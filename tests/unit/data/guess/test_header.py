"""A first row that is data is refused, with a way to put names before it; real names pass."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from headstart.data.guess.columns import describe_columns
from headstart.data.guess.guess import guess_data
from headstart.data.guess.header import check_header
from headstart.errors import DataError


def check(header: list[str], *rows: list[Any], file: str = "a.csv") -> None:
    check_header(describe_columns([dict(zip(header, row, strict=True)) for row in rows]), Path(file))


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["a good film", "1"], [["a bad film", "0"], ["so good", "1"]]),
        (["a film", "good"], [["another", "bad"], ["a third", "good"]]),
        (["this is a long sentence about a film"], [["another one"]]),
        (["0.5", "a film"], [["0.1", "b"], ["0.9", "c"]]),
        (["a film", "0.0"], [["b", "0.1"], ["c", "0.9"]]),
    ],
)
def test_data_at_the_head_is_refused(header: list[str], rows: list[list[str]]) -> None:
    with pytest.raises(DataError, match="the first row looks like data") as caught:
        check(header, *rows)
    assert caught.value.where == "a.csv:1"


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["was", "gut"], [["a film", "yes"], ["b film", "no"]]),
        (["text", "good"], [["a film", "good"], ["b film", "bad"]]),
        (["", "0", "1"], [["0", "a film", "1"], ["1", "b film", "0"]]),
        (
            ["what did you like about the film you saw?", "when did you see the film, and where?"],
            [["a", "b"]],
        ),
        (["when", "what the people said of the film then"], [["1", "a film"], ["2", "b film"]]),
        (["comment", "2019", "2020"], [["a film", "2018", "2021"]]),
    ],
)
def test_names_are_taken(header: list[str], rows: list[list[str]]) -> None:
    check(header, *rows)


def test_formats_without_a_header_are_left_alone() -> None:
    check(["a good film", "1"], ["a bad film", "0"], ["so good", "1"], file="a.jsonl")


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_the_way_out_works(tmp_path: Path, suffix: str, separator: str) -> None:
    rows = [(str(i % 2), f"the film number {i}") for i in range(20)]
    file = tmp_path / f"the films{suffix}"
    file.write_text("".join(separator.join(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        guess_data(file)
    command = str(caught.value.fix).splitlines()[0].partition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    guess = guess_data(tmp_path / f"new-the films{suffix}")
    assert (guess.columns, guess.rows) == ({"text": "text", "label": "label"}, 20)
