"""Tables of anybody's become scores; what is no number, or there twice, is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headstart.analysis.score_files import read_score_file
from headstart.config.metrics import MetricInfo, describe_metric
from headstart.errors import DataError, HeadstartError


def write(folder: Path, text: str, name: str = "scores.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_scores_come_by_arm_size_and_seed(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,size,seed,mcc\na,10,0,0.5\na,10,1,0.6\na,20,0,0.7\nb,all,0,0.1\n")
    table = read_score_file(file, None)
    assert table.metric == describe_metric("mcc")
    assert [(scores.cell, scores.train_examples, scores.by_seed) for scores in table.scores] == [
        (("a", 10), 10, {0: 0.5, 1: 0.6}),
        (("a", 20), 20, {0: 0.7}),
        (("b", "all"), None, {0: 0.1}),
    ]
    assert not any(scores.measures for scores in table.scores)


@pytest.mark.parametrize(
    ("metric", "values", "read"),
    [
        ("accuracy", ("81.5", "0", "78"), (0.815, 0, 0.78)),
        ("accuracy", ("0.815", "0.5", "1"), (0.815, 0.5, 1)),
        ("accuracy", ("1", "1.0", "1.00"), (1, 1, 1)),
        ("eval_f1", ("100", "2.5", "0.0"), (1, 0.025, 0)),
        ("loss", ("81.5", "0.5", "7"), (81.5, 0.5, 7)),
        ("wer", ("1.2", "0.3", "0"), (1.2, 0.3, 0)),
    ],
)
def test_shares_are_fractions_or_percentages(
    tmp_path: Path, metric: str, values: tuple[str, ...], read: tuple[float, ...]
) -> None:
    rows = "".join(f"a,{seed},{value}\n" for seed, value in enumerate(values))
    (scores,) = read_score_file(write(tmp_path, f"arm,seed,{metric}\n{rows}"), None).scores
    assert tuple(scores.by_seed.values()) == pytest.approx(read)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("0.85", "86.0"), r"csv:3: accuracy 86, but 0.85 at .*csv:2: fractions and percentages"),
        (("86.0", "1"), r"csv:2: accuracy 86, but 1 at .*csv:3: fractions and percentages"),
        (("0.99", "1.01"), r"csv:3: accuracy 1.01, but 0.99 at .*csv:2: fractions and percentages"),
        (("1.2", "1.9"), r"csv:3: the largest accuracy is 1.9: too large for a fraction"),
        (("101", "99"), r"csv:2: accuracy 101"),
        (("99", "-1"), r"csv:3: accuracy -1"),
    ],
)
def test_shares_that_could_be_either_or_none_are_refused(
    tmp_path: Path, values: tuple[str, ...], message: str
) -> None:
    rows = "".join(f"a,{seed},{value}\n" for seed, value in enumerate(values))
    with pytest.raises(DataError, match=message):
        read_score_file(write(tmp_path, f"arm,seed,accuracy\n{rows}"), None)


def test_seeds_and_sizes_are_read_as_pandas_writes_them(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,size,seed,mcc\na,125.0,0.0,0.5\na,all,1,0.5\n")
    assert [(scores.size, list(scores.by_seed)) for scores in read_score_file(file, None).scores] == [
        (125, [0]),
        ("all", [1]),
    ]
    pq.write_table(
        pa.table({"arm": ["a"], "size": [125.0], "seed": [3.0], "mcc": [0.25]}), tmp_path / "scores.parquet"
    )
    (scores,) = read_score_file(tmp_path / "scores.parquet", None).scores
    assert (scores.size, scores.by_seed) == (125, {3: 0.25})


@pytest.mark.parametrize(
    ("text", "rounding"),
    [
        ("arm,seed,accuracy\na,0,81.5\na,1,78\n", 0.001),
        ("arm,seed,accuracy\na,0,0.8150\na,1,0.7\n", 0.0001),
        ("arm,seed,loss\na,0,2\na,1,3\n", 1.0),
        ("arm,seed,loss\na,0,2e-3\na,1,3\n", 0.001),
    ],
)
def test_the_unit_of_rounding_is_that_of_the_last_decimal(tmp_path: Path, text: str, rounding: float) -> None:
    assert read_score_file(write(tmp_path, text), None).scores[0].rounding == pytest.approx(rounding)


def test_whole_floats_were_not_written_with_a_decimal(tmp_path: Path) -> None:
    file = write(tmp_path, '{"arm": "a", "seed": 0, "loss": 2.0}\n', "scores.jsonl")
    assert read_score_file(file, None).scores[0].rounding == 1.0


def test_a_metric_may_be_named_among_several(tmp_path: Path) -> None:
    table = read_score_file(write(tmp_path, "arm,seed,accuracy,loss,group\na,0,0.5,2,x\n"), "loss")
    assert (table.metric.name, table.scores[0].by_seed) == ("loss", {0: 2.0})
    assert table.ignored == ("accuracy", "group")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,seed,accuracy\n", "no rows"),
        ("arm,seed\na,0\n", "columns none besides arm, seed"),
        ("arm,seed,accuracy,loss\na,0,1,2\n", "columns accuracy, loss besides arm, seed"),
        ("text,label\na,x\n", "columns text, label\n"),
        ("arm,accuracy\na,0.5\n", "no column 'seed'"),
        ("arm,seed,accuracy\na,x,0.5\n", "seed 'x'"),
        ("arm,seed,accuracy\na,0.5,0.5\n", "seed '0.5'"),
        ("arm,seed,accuracy\na,0,high\n", "score 'high'"),
        ("arm,seed,accuracy\na,0,nan\n", "score 'nan'"),
        ("arm,seed,accuracy\na,0,1_0\n", "score '1_0'"),
        ('arm,seed,accuracy\na,0,"0,85"\n', r"score '0,85'[\s\S]*with a decimal point: 0\.85"),
        ("arm,seed,accuracy\na,0,85%\n", r"score '85%'[\s\S]*without the sign: 85"),
        ("arm,seed,accuracy\na,0,0.5\na,0,0.6\n", "a has seed 0 twice"),
        ("arm,seed,accuracy\na,0,0.5\na,0.0,0.6\n", "csv:3: a has seed 0 twice"),
        ('arm,size,seed,mcc\na,"1,000",0,0.5\n', r"size '1,000'[\s\S]*without separators: 1000"),
        ("arm,size,seed,mcc\na,1k,0,0.5\n", "size '1k'"),
        ("arm,size,seed,mcc\na,,0,0.5\n", "size ''"),
        ("arm,size,seed,mcc\na,0,0,0.5\n", "size '0'"),
        ("arm,size,seed,mcc\na,-5,0,0.5\n", "size '-5'"),
        ("arm,size,seed,mcc\na,0.5,0,0.5\n", r"size '0\.5'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_score_file(write(tmp_path, text), None)


def test_a_direction_that_is_not_known_has_to_be_said(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,seed,elo\na,0,1250\n")
    with pytest.raises(HeadstartError, match=r"scores\.csv: metric 'elo' is not known"):
        read_score_file(file, None)
    table = read_score_file(file, None, lower_is_better=False)
    assert (table.metric, table.scores[0].by_seed) == (
        MetricInfo("elo", False, False, decimals=1),
        {0: 1250.0},
    )


def test_the_same_seed_of_another_size_is_welcome(tmp_path: Path) -> None:
    file = write(tmp_path, "arm,size,seed,mcc\na,10,0,0.5\na,20,0,0.6\n")
    assert len(read_score_file(file, None).scores) == 2
