"""`headstart compare` on a table and on a study's folder: the laboratory's numbers, mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import headstart
from headstart.cli import main
from headstart.commands.compare import compare
from headstart.errors import HeadstartError
from headstart.report.conclusions import explain_comparison
from headstart.stats.two_way import estimate_two_way

StudyFile = Callable[..., Path]
LAB = """arm,seed,accuracy
random,0,62.5
random,1,64.5
random,2,63.5
pretrained,0,81.5
pretrained,1,78
pretrained,2,82.5
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Accuracies of a lab report: 3 seeds, French book reviews."""
    file = tmp_path / "scores.csv"
    file.write_text(LAB, encoding="utf-8")
    return file


def test_the_laboratorys_numbers(lab: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """63.5 +- 0.8 and 80.7 +- 1.9 (population), and 17.2 points between them."""
    assert main(["compare", str(lab)]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "arm seeds accuracy std seeds worst best" in shown
    assert "random 3 63.5 ± 1.0 0.8" in shown
    assert "pretrained 3 80.7 ± 2.4 1.9" in shown
    assert "pretrained +17.2 +9.3 to +25.1 0.011 0.250 better" in shown
    assert "cannot go below p = 0.25" in shown
    assert "better" in shown


def test_a_tables_shares_may_be_percentages_or_not(lab: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in LAB.splitlines()[1:]]
    fractions = "".join(f"{arm},{seed},{float(value) / 100}\n" for arm, seed, value in rows)
    (tmp_path / "shares.csv").write_text("arm,seed,accuracy\n" + fractions, encoding="utf-8")
    first, other = compare(lab), compare(tmp_path / "shares.csv")
    assert [row.mean for row in first.summary] == pytest.approx([row.mean for row in other.summary])


def test_another_control_turns_the_difference_round(lab: Path) -> None:
    (first,), (other,) = compare(lab).contrasts, compare(lab, control="pretrained").contrasts
    assert first.difference == pytest.approx(-other.difference)
    assert (first.verdict, other.verdict) == ("better", "worse")


def test_sizes_are_compared_apart(tmp_path: Path) -> None:
    rows = [
        f"{arm},{size},{seed},{0.5 + 0.01 * seed + lift}"
        for arm, lift in (("random", 0), ("tuned", 0.1))
        for size in (10, 20)
        for seed in range(3)
    ]
    file = tmp_path / "sizes.csv"
    file.write_text("arm,size,seed,accuracy\n" + "\n".join(rows), encoding="utf-8")
    comparison = compare(file)
    assert [(row.arm, row.size) for row in comparison.contrasts] == [("tuned", 10), ("tuned", 20)]
    assert [(row.amount, row.worth) for row in comparison.label_worth] == [(10, None), (20, None)]
    values = comparison.to_dict()["label_worth"][0]
    assert (values["worth_beyond"], values["largest"]) == ("more than the largest", 20)


@pytest.mark.parametrize("margin", [0, -1, 10**400, -(10**400), math.inf, math.nan], ids=range(6))
def test_a_margin_that_is_no_number_above_zero_is_refused(tmp_path: Path, margin: float) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("arm,seed,accuracy\na,0,0.5\nb,0,0.6\n")
    with pytest.raises(HeadstartError, match="a number above 0"):
        compare(file, margin=margin)


def test_a_margin_is_in_points(tmp_path: Path) -> None:
    rows = [
        f"{arm},{seed},{value}"
        for arm, accuracies in (("random", (80.0, 80.1, 80.21)), ("tuned", (80.1, 80.1, 80.3)))
        for seed, value in enumerate(accuracies)
    ]
    file = tmp_path / "close.csv"
    file.write_text("arm,seed,accuracy\n" + "\n".join(rows), encoding="utf-8")
    assert compare(file, margin=0.5).contrasts[0].verdict == "no difference"
    assert compare(file, margin=0.1).contrasts[0].verdict == "not worse"
    assert compare(file, margin=0.01).contrasts[0].verdict == "undecided"


def test_a_studys_test_examples_are_known(folder: Path) -> None:
    comparison = compare(folder)
    assert comparison.control == "random"
    row = comparison.contrasts[0]
    assert row.test_examples == 24
    right = {}
    for arm in ("pretrained", "random"):
        tables = [
            pq.read_table(folder / "runs" / arm / "all" / str(seed) / "predictions.parquet")
            for seed in range(3)
        ]
        right[arm] = np.array([np.array(t["label"]) == np.array(t["predicted"]) for t in tables], float)
    oracle = estimate_two_way(right[row.arm] - right["random"])
    assert oracle is not None
    assert (row.difference, row.low, row.high) == pytest.approx((oracle.mean, oracle.low, oracle.high))


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "loss"])
def test_what_run_wrote_is_what_compare_says(folder: Path, metric: str) -> None:
    """One study, one answer: the same intervals, p values and verdicts, to the last digit."""
    written = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    compared = json.loads(json.dumps(compare(folder, metric=metric).to_dict()))
    for part in ("summary", "contrasts"):
        assert [row for row in written[part] if row["metric"] == metric] == compared[part]
    if metric == "accuracy":
        assert (written["label_worth"], written["step_worth"]) == (
            compared["label_worth"],
            compared["step_worth"],
        )


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "mcc", "loss"])
def test_parts_by_example_average_to_the_metric(folder: Path, metric: str) -> None:
    for scores in compare(folder, metric=metric).scores:
        assert scores.measures.keys() == scores.by_seed.keys()
        for seed, measure in scores.measures.items():
            once = np.ones((1, scores.n_examples))
            assert measure.by_example is not None
            assert measure.by_example.mean() == pytest.approx(scores.by_seed[seed], abs=1e-5)
            assert measure.on_resamples(once)[0] == pytest.approx(scores.by_seed[seed], abs=1e-5)


def test_the_same_seed_gives_the_same_figures_and_another_gives_others(folder: Path) -> None:
    first, same, other = (compare(folder, seed=seed).contrasts[0] for seed in (1, 1, 2))
    assert first == same
    assert (first.bootstrap_low, first.bootstrap_high) != (other.bootstrap_low, other.bootstrap_high)
    assert (first.low, first.high) == (other.low, other.high)


def test_json_holds_plain_values(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(folder), "--json"]) == 0
    values = json.loads(capfd.readouterr().out)
    assert values.pop("sentences") == explain_comparison(compare(folder))
    assert values == json.loads(json.dumps(compare(folder).to_dict()))
    assert values["schema_version"] == 2
    assert {row["arm"] for row in values["summary"]} == {"pretrained", "random", "words"}
    assert {row["test_examples"] for row in values["contrasts"]} == {24}


def test_label_worth_is_shown_beyond_what_was_run_as_such(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"{arm},{size},{seed},{start + size / 100 + seed / 100}"
        for arm, start in (("random", 0.3), ("tuned", 0.4))
        for size in (10, 20, 30)
        for seed in range(3)
    ]
    file = tmp_path / "curve.csv"
    file.write_text("arm,size,seed,accuracy\n" + "\n".join(rows), encoding="utf-8")
    assert main(["compare", str(file)]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "tuned 10 51.0 20" in shown
    assert "tuned 30 71.0 over 30" in shown


def test_markdown_and_latex_are_printed_where_asked_for(lab: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(lab), "--markdown"]) == 0
    assert "| random | 3 | 63.5 ± 1.0 | 0.8 |" in capfd.readouterr().out
    assert main(["compare", str(lab), "--latex"]) == 0
    assert r"random & 3 & 63.5 $\pm$ 1.0 & 0.8" in capfd.readouterr().out


def test_comparing_needs_no_torch(lab: Path) -> None:
    import subprocess
    import sys

    code = f"import sys, headstart; headstart.compare({str(lab)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("arm,seed,accuracy\n", [], "no rows"),
        ("arm,seed\na,0\n", [], "columns none besides arm, seed"),
        ("arm,seed,accuracy,loss\na,0,1,2\n", [], "columns accuracy, loss besides arm, seed"),
        ("arm,accuracy\na,0.5\n", [], "no column 'seed'"),
        ("arm,seed,accuracy\na,x,0.5\n", [], "seed 'x'"),
        ("arm,seed,accuracy\na,0,high\n", [], "score 'high'"),
        ("arm,seed,accuracy\na,0,nan\n", [], "score 'nan'"),
        ("arm,seed,accuracy\na,0,0.5\na,0,0.6\n", [], "a has seed 0 twice"),
        (LAB, ["--control", "nobody"], "no arm is called 'nobody'"),
        (LAB, ["--metric", "mcc"], "no column 'mcc'"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, words: list[str], message: str
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text, encoding="utf-8")
    assert main(["compare", str(file), *words]) == 2
    assert message in capfd.readouterr().err


def test_a_folder_of_an_earlier_version_is_refused(
    tmp_path: Path, study_in: StudyFile, capfd: pytest.CaptureFixture[str]
) -> None:
    file = study_in(tmp_path)
    headstart.run(headstart.load_study(file))
    record = tmp_path / "out" / "runs" / "random" / "all" / "0" / "record.json"
    old = record.read_text(encoding="utf-8").replace('"schema_version": 2', '"schema_version": 1')
    (tmp_path / "out" / "results.json").unlink()
    for other in (tmp_path / "out").rglob("record.json"):
        other.write_text(old, encoding="utf-8")
    for words in (["compare", str(tmp_path / "out")], ["run", str(file)], ["plan", str(file)]):
        assert main(words) == 2
        message = " ".join(capfd.readouterr().err.split())
        assert "record.json is of schema version 1, which an earlier Headstart wrote" in message
        assert "expected: schema version 2" in message
        assert "name another folder: out=FOLDER" in message
    assert record.read_text(encoding="utf-8") == old


def test_a_control_that_was_above_and_fell_is_not_over_its_largest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """60, 75, 65, 66, 67 with 125 to 2,000 labels reach 70.1 between 125 and 250; sizes are named too."""
    control = dict(zip((125, 250, 500, 1000, 2000), (60, 75, 65, 66, 67), strict=True))
    rows = [
        f"{arm},{size},{seed},{score + noise}"
        for arm, scores in (("random", control), ("tuned", dict.fromkeys(control, 70.1)))
        for size, score in scores.items()
        for seed, noise in enumerate((-0.2, 0.0, 0.1, 0.1) if arm == "random" else (0.0, 0.1, -0.1, 0.0))
    ]
    file = tmp_path / "scores.csv"
    file.write_text("arm,size,seed,accuracy\n" + "\n".join(rows) + "\n", encoding="utf-8")
    first = compare(file).label_worth[0]
    assert first.worth == pytest.approx(125 * 2 ** (10.1 / 15))
    assert (first.below_again, first.worth_beyond, first.high_beyond) == (500, None, None)
    assert first.low is not None
    assert first.high is not None
    assert first.worth is not None
    assert first.low < first.worth < first.high <= 250
    assert main(["compare", str(file), "--all"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert (
        "random does not rise steadily with labels: it reaches 70.1 with 199 (below it again with 500)"
        in shown
    )
    wide = [row for row in rows if row.split(",")[1] in ("125", "2000")]
    file.write_text("arm,size,seed,accuracy\n" + "\n".join(wide) + "\n", encoding="utf-8")
    assert main(["compare", str(file), "--all"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "no number of labels between 125 and 2,000, more than a factor of 3 apart" in shown
    assert compare(file).label_worth[0].wide_gaps == ((125, 2000),)
