"""Other people's results through the command line: what is refused, what is said, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from headstart.cli import main
from others_results import (
    DATE,
    make_log,
    make_sample,
    write_eval_log,
    write_json_log,
    write_lighteval,
    write_lm_eval,
    write_samples,
)

Run = Callable[..., str]


@pytest.fixture
def shown(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line, which must end with `code`; gives what it printed, in one line."""

    def run(*words: object, code: int = 0) -> str:
        capfd.readouterr()
        assert main([str(word) for word in words]) == code
        return " ".join(capfd.readouterr().out.split())

    return run


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line, which must refuse with one message and code 2."""

    def run(*words: object) -> str:
        capfd.readouterr()
        assert main([str(word) for word in words]) == 2
        out, message = capfd.readouterr()
        assert out == ""
        assert message.count("error:") == 1
        assert "Traceback" not in message
        return message

    return run


def table(folder: Path, text: str, name: str = "scores.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def by_seed(folder: Path, metric: str, arms: Mapping[str, Mapping[int, object]]) -> Path:
    """A table of each arm's scores by seed."""
    rows = "".join(f"{arm},{seed},{score}\n" for arm, of in arms.items() for seed, score in of.items())
    return table(folder, f"arm,seed,{metric}\n{rows}")


def of_seeds(*values: object) -> dict[int, object]:
    return dict(enumerate(values))


# A metric's direction


@pytest.mark.parametrize("metric", ["eval_loss", "ppl", "wer", "rmse", "cer", "ter", "perplexity"])
def test_less_of_a_known_loss_is_better(shown: Run, tmp_path: Path, metric: str) -> None:
    file = by_seed(tmp_path, metric, {"a": of_seeds(0.61, 0.62, 0.6), "b": of_seeds(0.31, 0.3, 0.33)})
    assert "b -0.297 -0.360 to -0.233 0.002 0.250 better" in shown("compare", file)


@pytest.mark.parametrize("metric", ["elo", "score", "mmlu", "my_metric"])
def test_an_unknown_metric_has_to_be_said_which_way_is_better(
    shown: Run, refused: Run, tmp_path: Path, metric: str
) -> None:
    file = by_seed(tmp_path, metric, {"a": of_seeds(0.61, 0.62, 0.6), "b": of_seeds(0.31, 0.3, 0.33)})
    message = refused("compare", file)
    assert f"scores.csv: metric '{metric}' is not known" in message
    assert "fix: add --higher-is-better or --lower-is-better" in message
    assert shown("compare", file, "--lower-is-better").count(" better") == 1
    assert " worse " in shown("compare", file, "--higher-is-better")


@pytest.mark.parametrize(
    ("metric", "option", "better"),
    [("accuracy", "--lower-is-better", "higher"), ("eval_loss", "--higher-is-better", "lower")],
)
def test_a_known_direction_is_not_contradicted(
    refused: Run, tmp_path: Path, metric: str, option: str, better: str
) -> None:
    file = by_seed(tmp_path, metric, {"a": of_seeds(0.61, 0.62), "b": of_seeds(0.31, 0.3)})
    assert f"{option}, but {better} '{metric}' is better" in refused("compare", file, option)


# Units


def test_fractions_and_percentages_in_one_column(refused: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds("0.85", "0.86"), "b": of_seeds("86.0", "87.0")})
    message = refused("compare", file)
    assert "scores.csv:5: accuracy 87, but 0.85 at " in message
    assert "scores.csv:2: fractions and percentages in one column" in message


@pytest.mark.parametrize(("value", "line"), [("101", 3), ("-0.5", 3)])
def test_shares_that_are_none(refused: Run, tmp_path: Path, value: str, line: int) -> None:
    message = refused(
        "compare", by_seed(tmp_path, "accuracy", {"a": of_seeds("60", value), "b": of_seeds("61", "62")})
    )
    assert f"scores.csv:{line}: accuracy {float(value):g}" in message
    assert "expected: a share, from 0 to 1 or as a percentage from 0 to 100" in message


def test_shares_a_little_above_one_could_be_either(refused: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds(1.2, 1.5), "b": of_seeds(1.9, 1.8)})
    assert "the largest accuracy is 1.9: too large for a fraction" in refused("compare", file)


def test_a_share_of_exactly_one_is_a_fraction(shown: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds(1.0, 0.9, 0.95), "b": of_seeds(1.0, 1.0, 1.0)})
    assert "b 3 100.0 ± 0.0" in shown("compare", file)


def test_elo_is_no_share(shown: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "elo", {"a": of_seeds(1250, 1260, 1255), "b": of_seeds(1300, 1310, 1322)})
    out = shown("compare", file, "--higher-is-better")
    assert "a 3 1255.0 ± 5.0" in out
    assert "vs a difference, elo" in out
    assert "nan" not in out
    assert "points" not in out


# Sizes, seeds and columns


@pytest.mark.parametrize("size", ["1k", "1,000", "", "0", "12.5", "big"])
def test_sizes_that_are_no_numbers(refused: Run, tmp_path: Path, size: str) -> None:
    text = f'arm,size,seed,accuracy\na,"{size}",0,60\nb,"{size}",0,61\n'
    message = refused("compare", table(tmp_path, text))
    assert f"scores.csv:2: size '{size}'" in message
    assert "expected: a whole number of training examples above zero, or all" in message
    if size == "1,000":
        assert "fix: write it without separators: 1000" in message


def test_numbers_as_pandas_writes_them(shown: Run, tmp_path: Path) -> None:
    rows = "".join(f"{a},125.0,{s}.0,{60 + s + 5 * (a == 'b')}.{s}\n" for a in "ab" for s in range(3))
    out = shown("compare", table(tmp_path, "arm,size,seed,accuracy\n" + rows))
    assert "a 125 3 61.1" in out


@pytest.mark.parametrize(
    ("score", "fix"),
    [('"0,85"', "with a decimal point: 0.85"), ("85%", "without the sign: 85"), ("1_0", None), ("", None)],
)
def test_scores_that_are_no_numbers(refused: Run, tmp_path: Path, score: str, fix: str | None) -> None:
    message = refused("compare", table(tmp_path, f"arm,seed,accuracy\na,0,{score}\nb,0,60\n"))
    assert "scores.csv:2: score " in message
    assert fix is None or fix in message


def test_columns_that_are_not_used_are_said(shown: Run, refused: Run, tmp_path: Path) -> None:
    rows = "".join(f"{a},{s},g,{60 + s + 5 * (a == 'b')},x\n" for a in "ab" for s in range(3))
    file = table(tmp_path, "arm,seed,group,accuracy,note\n" + rows)
    assert "columns group, accuracy, note besides arm, seed" in refused("compare", file)
    out = shown("compare", file, "--metric", "accuracy")
    assert "The metric is accuracy; ignored columns: group, note." in out


def test_a_row_that_is_there_twice(refused: Run, tmp_path: Path) -> None:
    message = refused("compare", table(tmp_path, "arm,seed,accuracy\na,0,60\na,0.0,61\nb,0,60\n"))
    assert "scores.csv:3: a has seed 0 twice" in message


# Seeds that only one side has


def test_seeds_of_one_side_are_named_with_the_means_that_are_compared(shown: Run, tmp_path: Path) -> None:
    """Shown once as 68.2 against 58.4 and +10.2, and nothing said."""
    first = {0: 58.0, 1: 59.0, 2: 58.3, 3: 58.1, 4: 58.6}
    file = by_seed(tmp_path, "accuracy", {"random": first, "tuned": {0: 68.4, 1: 69.0, 2: 68.5, 7: 66.9}})
    out = shown("compare", file)
    assert "tuned 4 68.2" in out
    assert "tuned +10.2 " in out
    assert (
        "tuned and random are compared on seeds 0, 1, 2, which both have, with means of 68.6% vs 58.4%; "
        "only tuned has seed 7; only random has seeds 3, 4. The means above are of all seeds." in out
    )


def test_arms_without_a_shared_seed_are_welchs(shown: Run, tmp_path: Path) -> None:
    first, second = (58.0, 59.0, 58.3, 58.1), (68.4, 69.0, 67.5)
    file = by_seed(
        tmp_path, "accuracy", {"random": of_seeds(*first), "tuned": dict(enumerate(second, start=10))}
    )
    out = shown("compare", file)
    assert "tuned and random are not paired, no seed in common: Welch's t over 3 and 4 seeds." in out
    (row,) = json.loads(shown("compare", file, "--json"))["contrasts"]
    oracle = stats.ttest_ind(second, first, equal_var=False)
    # The last decimal's rounding is added to the variances, which is little here.
    assert row["p"] == pytest.approx(oracle.pvalue, rel=0.02)
    assert 100 * row["low"] == pytest.approx(oracle.confidence_interval(0.95).low, abs=0.02)
    assert row["n_control_seeds"] == 4


def test_a_size_that_the_control_lacks_is_said(shown: Run, tmp_path: Path) -> None:
    rows = "".join(
        f"{a},{n},{s},{60 + s + n}\n" for a, n in (("a", 10), ("b", 10), ("b", 20)) for s in range(3)
    )
    out = shown("compare", table(tmp_path, "arm,size,seed,accuracy\n" + rows))
    assert "b (size 20): not compared, as a has no scores of that size." in out


# Spread that is none


def test_spread_below_the_scores_rounding(shown: Run, tmp_path: Path) -> None:
    file = by_seed(
        tmp_path, "loss", {"a": of_seeds("2.00", "3.00", "4.00"), "b": of_seeds("3.00", "4.00", "5.01")}
    )
    out = shown("compare", file)
    assert "b +1.003 - - 0.250 undecided" in out
    assert "b differs from a by the same, within their rounding of 0.01 loss, with all 3 seeds" in out


def test_spread_that_rounding_adds_to(shown: Run, tmp_path: Path) -> None:
    file = by_seed(
        tmp_path, "loss", {"a": of_seeds("2.00", "3.00", "4.00"), "b": of_seeds("3.00", "4.00", "5.02")}
    )
    out = shown("compare", file)
    assert "Scores are rounded to 0.01 loss: the possible rounding error is added to" in out


def test_the_same_difference_with_all_eight_seeds(shown: Run, tmp_path: Path) -> None:
    low = [60.0, 61.5, 60.2, 63.0, 59.9, 60.1, 60.4, 62.2]
    file = by_seed(
        tmp_path, "accuracy", {"random": of_seeds(*low), "tuned": of_seeds(*[f"{x + 5:.1f}" for x in low])}
    )
    out = shown("compare", file)
    assert "tuned +5.0 - - 0.008 better" in out
    assert (
        "tuned differs from random by the same, to the last digit, with all 8 seeds: that shows no spread, "
        "so there is no t interval; the sign-flip test's p is 0.008, below 5%." in out
    )
    assert "copies of one run" not in out


def test_scores_that_never_vary_may_be_copies(shown: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"random": of_seeds(*[60.0] * 8), "tuned": of_seeds(*[65.0] * 8)})
    assert "if these are copies of one run, they count as one run" in shown("compare", file)


# The leaderboard


def test_a_leaderboards_rows_of_one_arm_are_one_result(shown: Run, tmp_path: Path) -> None:
    file = table(tmp_path, "arm,accuracy\na,50\na,54\nb,51\n")
    out = shown("power", file, "--test-examples", 1000)
    assert "a 52.0 - -" in out
    assert "Rows of the same arm are averaged: a of 2." in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,elo\na,1250\nb,1300\n", "metric 'elo' is not known to be a share"),
        ("arm,accuracy\na,0.5\nb,51\n", "fractions and percentages in one column"),
        ("arm,accuracy\na,50\nb,101\n", "accuracy 101"),
        ("arm,accuracy,size\na,50,1k\nb,51,10\n", "size '1k'"),
        ("arm,accuracy,model\na,50,x\nb,51,y\n", "columns accuracy, model besides arm"),
    ],
)
def test_leaderboards_that_are_refused(refused: Run, tmp_path: Path, text: str, message: str) -> None:
    assert message in refused("power", table(tmp_path, text), "--test-examples", 1000)


# Items


def draw_right(lifts: Sequence[float], n_items: int = 400, seed: int = 0) -> list[list[float]]:
    """Right and wrong of models that find the same items hard."""
    draws = np.random.default_rng(seed)
    hard = draws.normal(size=n_items)
    return [[float(x) for x in (hard + lift + draws.normal(size=n_items) > 0)] for lift in lifts]


def write_models(kind: str, folder: Path, models: Mapping[str, Sequence[float]]) -> list[Path]:
    """A file of each model as this library writes it."""
    if kind == "inspect":
        return [
            write_eval_log(
                folder / f"{i}.eval", make_log(name, [{k: "CI"[x < 1] for k, x in enumerate(right)}])
            )
            for i, (name, right) in enumerate(models.items())
        ]
    if kind == "lm_eval":
        return [write_lm_eval(folder / name, right) for name, right in models.items()]
    if kind == "lighteval":
        return [
            write_lighteval(folder / name / f"details_arc|0_{DATE}.parquet", [{"acc": int(x)} for x in right])
            for name, right in models.items()
        ]
    rows = "".join(f"{name},{i},{x:g}\n" for name, right in models.items() for i, x in enumerate(right))
    return [table(folder, "arm,item,acc\n" + rows, "items.csv")]


KINDS = ["table", "lm_eval", "inspect", "lighteval"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_contrast(shown: Run, tmp_path: Path, kind: str) -> None:
    first, second = draw_right([0.0, 0.6])
    files = write_models(kind, tmp_path, {"first": first, "second": second})
    metric = ["--metric", "acc"] if kind == "lm_eval" else []
    comparison = json.loads(shown("compare", *files, *metric, "--json"))
    (row,) = comparison["contrasts"]
    differences = np.subtract(second, first)
    unseen = np.concatenate([differences, [1, -1]])
    reach = stats.t.ppf(0.975, len(unseen) - 1) * np.std(unseen, ddof=1) / np.sqrt(len(unseen))
    assert (row["arm"], row["control"], row["test_examples"], row["n_seeds"]) == ("second", "first", 400, 1)
    assert row["difference"] == pytest.approx(differences.mean())
    assert (row["low"], row["high"]) == pytest.approx(
        (differences.mean() - reach, differences.mean() + reach), abs=1e-5
    )
    assert row["verdict"] == "better"
    assert comparison["tiers"] == []
    assert "for these models only" in shown("compare", *files, *metric)


@pytest.mark.parametrize("kind", KINDS)
def test_several_arms_have_tiers_in_place_of_ranks(shown: Run, tmp_path: Path, kind: str) -> None:
    models = dict(zip(("low", "good", "best"), draw_right([-0.8, 0.9, 0.95]), strict=True))
    write_models(kind, tmp_path, models)
    sources = [tmp_path / "items.csv"] if kind == "table" else [tmp_path]
    words = [*sources, *(["--metric", "acc"] if kind == "lm_eval" else [])]
    tiers = json.loads(shown("compare", *words, "--json"))["tiers"]
    assert {row["arm"]: row["may_be_best"] for row in tiers} == {"low": False, "good": True, "best": True}
    assert set(tiers[-1]["beaten_by"]) == {"good", "best"}
    assert "2 of 3 arms may be the best" in shown("compare", *words)


def test_epochs_are_over_seeds_and_items(shown: Run, tmp_path: Path) -> None:
    for name, lift in (("a", 0.0), ("b", 1.0)):
        epochs = [{i: "CI"[x < 1] for i, x in enumerate(right)} for right in draw_right([lift] * 3)]
        write_json_log(tmp_path / f"{name}.json", make_log(name, epochs))
    (row,) = json.loads(shown("compare", tmp_path, "--json"))["contrasts"]
    assert (row["n_seeds"], row["test_examples"], row["verdict"]) == (3, 400, "better")
    out = shown("compare", tmp_path)
    assert "these models only" not in out


def test_groups_make_the_interval_wider_where_they_agree(shown: Run, tmp_path: Path) -> None:
    draws = np.random.default_rng(3)
    of_group = draws.random(20)
    rows = [
        (arm, item, item // 10, float(of_group[item // 10] + 0.1 * lift > 0.5))
        for arm, lift in (("a", -1), ("b", 1))
        for item in range(200)
    ]
    text = "arm,item,group,correct\n" + "".join(f"{a},{i},{g},{x}\n" for a, i, g, x in rows)
    grouped = json.loads(shown("compare", table(tmp_path, text), "--json"))["contrasts"][0]
    alone = text.replace("group", "film").replace("film,correct", "note,correct")
    plain = json.loads(shown("compare", table(tmp_path, alone, "b.csv"), "--metric", "correct", "--json"))
    assert grouped["high"] - grouped["low"] > 2 * (
        plain["contrasts"][0]["high"] - plain["contrasts"][0]["low"]
    )


def test_items_that_an_arm_lacks(shown: Run, refused: Run, tmp_path: Path) -> None:
    first, second = draw_right([0.0, 0.6])
    write_lm_eval(tmp_path / "a", first)
    write_lm_eval(tmp_path / "b", second[:-3])
    message = refused("compare", tmp_path, "--metric", "acc")
    assert "arms were tested on different items: b lacks 3 (" in message
    assert "fix: --shared-items, to compare only the 397 that all have" in message
    out = shown("compare", tmp_path, "--metric", "acc", "--shared-items")
    assert "Compared on 397 of 400 items, those that all arms have: b lacks 3 (" in out


def test_tasks_and_metrics_have_to_be_named(shown: Run, refused: Run, tmp_path: Path) -> None:
    for model, right in zip("ab", draw_right([0.0, 0.6]), strict=True):
        write_lm_eval(tmp_path / model, right, task="arc_easy")
        write_lm_eval(tmp_path / model, right, task="gsm8k", metric="exact_match")
    assert "expected: one of arc_easy, gsm8k" in refused("compare", tmp_path)
    assert "metrics exact_match, exact_match_norm" in refused("compare", tmp_path, "--task", "gsm8k")
    words = ["compare", tmp_path, "--task", "gsm8k", "--metric", "exact_match"]
    assert "vs a difference, points" in shown(*words)


def test_names_and_controls(shown: Run, refused: Run, tmp_path: Path) -> None:
    files = [
        write_lm_eval(tmp_path / name, right) for name, right in zip("ab", draw_right([0, 1]), strict=True)
    ]
    words = ["compare", f"old={files[0]}", f"new={files[1]}", "--metric", "acc"]
    assert "vs old difference, points" in shown(*words)
    assert "vs new difference, points" in shown(*words, "--control", "new")
    assert "no arm is called 'c'" in refused(*words, "--control", "c")


def test_a_corpus_metric_and_an_unfinished_evaluation(refused: Run, tmp_path: Path) -> None:
    for model in "ab":
        samples = [make_sample(i, {"f1": [1, 0]}) for i in range(3)]
        write_samples(tmp_path / "lm" / model / f"samples_t_{DATE}.jsonl", samples)
        log = make_log(model, [{1: "C"}], status="cancelled")
        write_eval_log(tmp_path / "inspect" / f"{model}.eval", log)
    assert "parts of a corpus metric" in refused("compare", tmp_path / "lm")
    assert "status is 'cancelled'" in refused("compare", tmp_path / "inspect")


@pytest.mark.parametrize("option", [["--task", "x"], ["--shared-items"]])
def test_options_of_items_alone(refused: Run, tmp_path: Path, option: list[str]) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds(60, 61), "b": of_seeds(61, 62)})
    assert f"{option[0]}: {file} has no per-item results" in refused("compare", file, *option)


def test_three_tables_of_scores_or_what_is_not_there(refused: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds(60, 61), "b": of_seeds(61, 62)})
    assert "3 sources without per-item results" in refused("compare", file, file, file)
    assert "nowhere: no such file or folder" in refused("compare", file, tmp_path / "nowhere")
    assert "compared arm by arm" in refused("compare", file, file, "--control", "a")


# The gate


@pytest.mark.parametrize(
    ("lift", "margin", "code"), [(1.0, None, 0), (-1.0, None, 4), (0.0, None, 3), (0.0, 20, 0)]
)
def test_the_gate_has_an_exit_code_for_each_verdict(
    shown: Run, tmp_path: Path, lift: float, margin: float | None, code: int
) -> None:
    models = dict(zip(("old", "new"), draw_right([0.0, lift]), strict=True))
    (file,) = write_models("table", tmp_path, models)
    words = ["compare", file, "--control", "old", *(["--margin", margin] if margin else [])]
    shown(*words, "--gate", code=code)
    shown(*words, "--gate", "--json", code=code)
    shown(*words, code=0)


def test_a_gate_of_several_arms(shown: Run, refused: Run, tmp_path: Path) -> None:
    models = dict(zip(("old", "up", "down"), draw_right([0.0, 1.0, -1.0]), strict=True))
    (file,) = write_models("table", tmp_path, models)
    assert "fix: --control NAME and --arm NAME" in refused("compare", file, "--gate")
    assert "fix: --arm with one of up, down" in refused("compare", file, "--control", "old", "--gate")
    assert "fix: add --gate" in refused("compare", file, "--control", "old", "--arm", "up")
    shown("compare", file, "--control", "old", "--gate", "--arm", "up", code=0)
    shown("compare", file, "--control", "old", "--gate", "--arm", "down", code=4)


def test_a_table_of_scores_has_a_gate(shown: Run, tmp_path: Path) -> None:
    file = by_seed(tmp_path, "accuracy", {"a": of_seeds(60, 61, 60.5), "b": of_seeds(50, 51, 50.7)})
    shown("compare", file, "--gate", code=4)


def test_comparing_items_needs_no_torch(tmp_path: Path) -> None:
    for kind in ("lm_eval", "inspect", "lighteval"):
        write_models(kind, tmp_path / kind, dict(zip("ab", draw_right([0.0, 1.0]), strict=True)))
    code = (
        "import sys; from headstart.commands.compare_sources import compare_sources; "
        f"[compare_sources([f'{tmp_path}/{{kind}}'], metric=metric) for kind, metric in "
        "(('lm_eval', 'acc'), ('inspect', 'match'), ('lighteval', 'acc'))]; "
        "sys.exit(bool({'torch', 'transformers', 'datasets', 'lm_eval', 'inspect_ai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
